"""The image and the compose file under a real engine, started by the test, on a base made by Debian's own tools.

It needs root, `docker.io`, `mmdebstrap` and minutes. A base made before is used again: STOCKSYNC_BASE_TAR=FILE.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from machines import AUTHORITIES, ROOT, run, until
from servers import free_port

NEEDED = ("dockerd", "docker", "mmdebstrap")
TIGHT = ("--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")
MEGABYTE = 1_000_000

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


@dataclass
class Engine:
    """A Docker of our own: no bridge, no firewall rules, nothing kept."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{self.folder}/sock", "DOCKER_BUILDKIT": "1"}

    def docker(self, *arguments: str | Path, check: bool = True, within: float = 1800) -> str:
        program = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        return self.run(program, *arguments, check=check, within=within)

    def run(self, *command: str | Path, check: bool = True, within: float = 1800, **environ: str) -> str:
        return run(*command, check=check, within=within, environ={**self.environ, **environ})

    def inspected(self, name: str, what: str) -> str:
        return self.docker("inspect", "-f", f"{{{{{what}}}}}", name).strip()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"not installed: {', '.join(missing)}" if missing else "an engine needs root")
    folder = tmp_path_factory.mktemp("engine")
    engine = Engine(folder)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid",
             f"--host=unix://{folder}/sock", "--storage-driver=vfs", "--iptables=false", "--bridge=none"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while not (folder / "sock").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.skip(f"no engine can run here: {(folder / 'log').read_text()[-300:]}")
                time.sleep(0.2)
            yield engine
        finally:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                engine.docker("rm", "--force", *engine.docker("ps", "-aq").split(), check=False)
            process.terminate()
            process.wait(60)
            shutil.rmtree(folder / "data", ignore_errors=True)


def base(engine: Engine, *more: str) -> Path:
    """Make a Debian with a Python, and with the authorities that this machine trusts."""
    if not more and (given := os.environ.get("STOCKSYNC_BASE_TAR")):
        return Path(given)
    tar = engine.folder / f"base-{'-'.join(more) or 'python'}.tar"
    trusting = [f"--customize-hook=copy-in {AUTHORITIES} {AUTHORITIES.parent}"] if AUTHORITIES.exists() else []
    packages = ",".join(("python3", "python3-venv", "ca-certificates", *more))
    mirror = os.environ.get("STOCKSYNC_DEBIAN_MIRROR", "http://deb.debian.org/debian")
    engine.run("mmdebstrap", "--variant=minbase", f"--include={packages}", *trusting, "bookworm", tar, mirror)
    return tar


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    engine.docker("import", base(engine), "base:local")
    given = [
        f"--build-arg={name}={os.environ[name]}"
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT")
        if name in os.environ
    ]
    engine.docker("build", "--network=host", "--build-arg=BASE_IMAGE=base:local", *given, "-t", "stocksync:0.1.0", ".")
    return "stocksync:0.1.0"


def ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200)
    return False


def test_it_is_small_and_says_what_it_is(engine: Engine, image: str) -> None:
    (described,) = json.loads(engine.docker("inspect", image))
    (under,) = json.loads(engine.docker("inspect", "base:local"))
    assert described["Size"] - under["Size"] < 200 * MEGABYTE
    config = described["Config"]
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Healthcheck"]["Test"] == ["CMD", "stocksync", "healthcheck"]
    assert config["Labels"]["org.opencontainers.image.title"] == "stocksync"
    assert not [each for each in config["Env"] if "PIP" in each or "INDEX" in each]
    assert "PIP_INDEX_URL" not in engine.docker("history", "--no-trunc", image)


def test_read_only_and_without_capabilities_it_polls_into_a_volume_and_drains(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    qoyod, http = free_port(), free_port()
    (tmp_path / "key").write_text("sim-key")
    (tmp_path / "config.toml").write_text(
        f'[http]\nlisten = "127.0.0.1:{http}"\n'
        f'[[accounts]]\nname = "main"\nbase_url = "http://127.0.0.1:{qoyod}/2.0"\n'
        '[accounts.auth]\nsecret_file = "/etc/stocksync/key"\n[accounts.poll]\ninterval = "2s"\n'
        '[accounts.target]\nurl = "sqlite:////var/lib/stocksync/target.db"\ncreate_table = true\n'
    )
    tmp_path.chmod(0o755)
    mounts = ("-v", "shop:/var/lib/stocksync", "-v", f"{tmp_path}:/etc/stocksync:ro")
    engine.docker("run", "-d", "--name=qoyod", *TIGHT, image, "simulator", f"--port={qoyod}", "--products=20")
    engine.docker("run", "-d", "--name=daemon", "--health-interval=2s", *TIGHT, *mounts, image)
    until(lambda: ready(http), "it is fresh", 180)
    until(lambda: engine.inspected("daemon", ".State.Health.Status") == "healthy", "it is healthy", 180)
    engine.docker("stop", "qoyod")
    until(lambda: not ready(http), "Qoyod is missed", 180)
    engine.docker("exec", "daemon", "stocksync", "healthcheck")
    assert engine.inspected("daemon", ".State.Health.Status") == "healthy", "an outage is no reason to restart"
    engine.docker("stop", "--time=45", "daemon")
    assert engine.inspected("daemon", ".State.ExitCode") == "0"
    assert '"event": "stopped"' in engine.docker("logs", "daemon").splitlines()[-1]
    count = (
        "import sqlite3; print(sqlite3.connect('target.db').execute('SELECT count(*) FROM stock_levels').fetchone()[0])"
    )
    rows = engine.docker("run", "--rm", *TIGHT, *mounts, "--entrypoint=python3", image, "-c", count)
    assert int(rows) > 20
    engine.docker("rm", "--force", "qoyod", "daemon")


POSTGRESQL = """\
FROM postgresql-base:local
RUN install -d -o postgres /var/lib/postgresql/data /run/postgresql
COPY entrypoint /entrypoint
USER postgres
VOLUME /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
ENTRYPOINT ["/bin/sh", "/entrypoint"]
"""
ENTRYPOINT = """\
set -e
cd /var/lib/postgresql/data
if [ ! -f db/PG_VERSION ]; then
  initdb -D db -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 > /dev/null
  createdb=1
fi
[ -z "$createdb" ] || (echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D db postgres > /dev/null)
exec postgres -D db -k /tmp -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT"
"""


def test_compose_brings_up_database_migration_simulator_and_daemon(engine: Engine, image: str, tmp_path: Path) -> None:
    compose = Path(sys.executable).with_name("docker-compose")
    if not compose.exists():
        pytest.skip("Docker Compose is not made for this system")
    built = tmp_path / "postgresql"
    built.mkdir()
    (built / "Dockerfile").write_text(POSTGRESQL)
    (built / "entrypoint").write_text(ENTRYPOINT)
    engine.docker("import", base(engine, "postgresql"), "postgresql-base:local")
    engine.docker("build", "--network=host", "-t", "postgres:17.5-alpine3.22", built)
    qoyod, http, database = free_port(), free_port(), free_port()
    files = tmp_path / "files"
    shutil.copytree(ROOT / "deploy/compose/demo", files)
    tmp_path.chmod(0o755)
    (files / "database-url").write_text(f"postgresql://stocksync:only-for-the-demo@127.0.0.1:{database}/stocksync")
    host: dict[str, Any] = {"network_mode": "host", "ports": []}
    ours = {"STOCKSYNC_HTTP__LISTEN": f"0.0.0.0:{http}"}
    ours["STOCKSYNC_ACCOUNTS__MAIN__BASE_URL"] = f"http://127.0.0.1:{qoyod}/2.0"
    test = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{qoyod}/_sim/state', timeout=3)"
    ready_test = f"pg_isready --host=127.0.0.1 --port={database} --username=stocksync --dbname=stocksync"
    changed = {
        "stocksync": {**host, "environment": ours},
        "migrate": {**host, "environment": ours},
        "simulator": {
            **host, "command": ["simulator", f"--port={qoyod}", "--products=50"],
            "healthcheck": {"test": ["CMD", "python3", "-c", test]},
        },
        "postgres": {
            **host, "environment": {"POSTGRES_PORT": str(database)}, "healthcheck": {"test": ["CMD-SHELL", ready_test]},
        },
    }  # fmt: skip
    override = json.dumps({"services": changed}, indent=1).replace('"ports": []', '"ports": !reset []')
    (tmp_path / "override.yml").write_text(override)
    ask = (compose, "-f", ROOT / "docker-compose.yml", "-f", tmp_path / "override.yml", "--profile", "demo")
    up = engine.run(
        *ask, "up", "--detach", "--no-build", "stocksync", "simulator", check=False, STOCKSYNC_FILES=str(files)
    )
    told = engine.run(*ask, "logs", check=False, STOCKSYNC_FILES=str(files))
    try:
        until(lambda: ready(http), f"it is fresh: {up} {told}", 180)
        assert engine.inspected("stocksync-migrate-1", ".State.ExitCode") == "0"
        assert "at head" in engine.docker("logs", "stocksync-migrate-1")
        query = (
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(database),
            "-U",
            "stocksync",
            "-Atc",
            "SELECT count(*) FROM stock_levels",
        )
        found = engine.docker("exec", "-e", "PGPASSWORD=only-for-the-demo", "stocksync-postgres-1", *query)
        assert int(found) > 50
    finally:
        engine.run(*ask, "down", "--volumes", check=False, STOCKSYNC_FILES=str(files))
