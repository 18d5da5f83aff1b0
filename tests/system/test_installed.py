"""The wheel, installed as its users install it, on each Python of this machine; then the README, word by word.

Needs a package registry and minutes. Which Pythons: STOCKSYNC_PYTHONS="python3.13 /opt/python3.15/bin/python3.15".
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from machines import ROOT
from servers import PostgreSQL, free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")
REAL_THING = README.partition("## The real thing")[2].partition("```")[2].partition("```")[0]
EXTRAS = "postgresql,mariadb"
KEY = "the-key-of-the-readme"
PRODUCTS = 7
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("STOCKSYNC_", "PYTHON", "VIRTUAL"))}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def pythons() -> list[str]:
    """Find an interpreter of each version that we claim: one that a pyenv lists answers only where it is chosen."""
    if asked := os.environ.get("STOCKSYNC_PYTHONS"):
        return asked.split()
    places = ("", *sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True))
    claimed = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = []
    for version in claimed:
        paths = (shutil.which(f"python{version}", path=place or None) for place in places)
        found.append(next((path for path in paths if path and _runs(path)), ""))
    return [path for path in found if path]


def _runs(path: str) -> bool:
    return subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def run(*command: object, where: Path, **environ: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=where, env=CLEAN | environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def by_venv(python: str, requirement: str, where: Path) -> Path:
    """Install as the README and docs/deployment.md say; gives the folder with the command."""
    run(python, "-m", "venv", where / "venv", where=where)
    run(where / "venv/bin/pip", "install", "-q", requirement, where=where)
    return where / "venv/bin"


def by_pipx(python: str, requirement: str, where: Path) -> Path:
    """Install as people install a command for themselves."""
    run(python, "-m", "venv", where / "tools", where=where)
    run(where / "tools/bin/pip", "install", "-q", "pipx", where=where)
    pipx = {"PIPX_HOME": str(where / "pipx"), "PIPX_BIN_DIR": str(where / "bin"), "PIPX_MAN_DIR": str(where / "man")}
    run(where / "tools/bin/pipx", "install", "--python", python, requirement, where=where, **pipx)
    return where / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, where=ROOT)
    return next(folder.glob("*.whl"))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def simulated_qoyod(command: Path, where: Path) -> Iterator[str]:
    """Start the simulator that the wheel ships; gives its base_url."""
    port = free_port()
    words = ("simulator", "--port", str(port), "--products", str(PRODUCTS), "--api-key", KEY)
    process = subprocess.Popen(
        [command, *words], cwd=where, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None, process.communicate()[0].decode()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/2.0"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def rows_there(server: PostgreSQL, url: str) -> int:
    """Count the rows of the table; 0 where it is not made yet."""
    database = url.rsplit("/", 1)[1]
    if not server.sql("SELECT to_regclass('stock_levels')", database).strip():
        return 0
    return int(server.sql("SELECT count(*) FROM stock_levels WHERE quantity IS NOT NULL", database))


def run_until_rows(server: PostgreSQL, url: str, *, where: Path, **environ: str) -> None:
    """Let `stocksync run` work until rows stand in the table, and end it as systemd does."""
    process = subprocess.Popen(["stocksync", "run"], cwd=where, env=CLEAN | environ, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not rows_there(server, url):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.terminate()
        said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0, said


@pytest.mark.parametrize("install", [by_venv, by_pipx])
@pytest.mark.parametrize("python", pythons())
def test_the_readme_leads_an_installed_wheel_to_rows_in_postgresql(
    wheel: Path, python: str, install: Callable[[str, str, Path], Path], postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    folder = install(python, f"stocksync[{EXTRAS}] @ {wheel.as_uri()}", tmp_path)
    command = folder / "stocksync"
    url = postgresql_server.new_database()
    began = time.monotonic()
    with simulated_qoyod(command, tmp_path) as base_url:
        (venv_line, install_line, export_line, *lines) = REAL_THING.strip().splitlines()
        assert venv_line.startswith("python3 -m venv")
        assert install_line.startswith("pip install")
        assert export_line.startswith("export QOYOD_API_KEY=… TARGET_DATABASE_URL=")
        environ = {"PATH": f"{folder}:{CLEAN['PATH']}", "QOYOD_API_KEY": KEY, "TARGET_DATABASE_URL": url}
        for line in lines:
            words = shlex.split(line, comments=True)
            if words[1] == "init":
                words += ["--base-url", base_url]  # Qoyod itself is not asked by a test
            if words[1] != "run":
                run(*words, where=tmp_path, **environ)
        run_until_rows(postgresql_server, url, where=tmp_path, **environ)
        run("stocksync", "once", where=tmp_path, **environ)  # what was cut short is ended
        status = json.loads(run("stocksync", "status", "--json", where=tmp_path, **environ))[0]["status"]
    assert status["managed"] == rows_there(postgresql_server, url) > 0
    print(f"{python}, {install.__name__}: rows {time.monotonic() - began:.0f} s after the installation")  # noqa: T201
