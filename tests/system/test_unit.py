"""The unit under a real systemd, booted by systemd-nspawn in a Debian that mmdebstrap makes.

It needs root, `systemd-container`, `mmdebstrap` and minutes. A tree made before is used again: STOCKSYNC_TREE=FOLDER.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from machines import AUTHORITIES, ROOT, run, until
from servers import free_port

PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,procps"
SECRET = "sim-key-nobody-may-see"
FASTER = "[Service]\nWatchdogSec=5\nTimeoutAbortSec=5\n"

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


@dataclass
class Machine:
    """A booted tree."""

    tree: Path
    leader: int

    def enter(self, *command: str, check: bool = True) -> str:
        inside = [
            "nsenter",
            f"--target={self.leader}",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--cgroup",
            "--",
            *command,
        ]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=120, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.log()}"
        return done.stdout

    def shows(self, name: str) -> str:
        return self.enter("systemctl", "show", "--value", f"--property={name}", "stocksync").strip()

    def log(self) -> str:
        inside = ["nsenter", f"--target={self.leader}", "--mount", "--pid", "--", "journalctl", "-u", "stocksync"]
        return subprocess.run(
            [*inside, "-n", "30", "--no-pager", "-o", "cat"], capture_output=True, text=True, check=False
        ).stdout

    def configure(self, *accounts: str, more: str = "") -> None:
        text = f'[http]\nlisten = "127.0.0.1:{free_port()}"\n{more}' + "".join(accounts)
        (self.tree / "etc/stocksync/config.toml").write_text(text)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in ("systemd-nspawn", "mmdebstrap", "nsenter") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"not installed: {', '.join(missing)}" if missing else "a container needs root")
    given = os.environ.get("STOCKSYNC_TREE")
    tree = Path(given) if given else tmp_path_factory.mktemp("machine") / "tree"
    if not given:
        mirror = os.environ.get("STOCKSYNC_DEBIAN_MIRROR", "http://deb.debian.org/debian")
        run("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", tree, mirror)
    install(tree)
    return tree


def install(tree: Path) -> None:
    """Install as docs/deployment.md says, from the lock."""
    if AUTHORITIES.exists():
        shutil.copy(AUTHORITIES, tree / str(AUTHORITIES).lstrip("/"))
    wheels = tree / "srv/wheels"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
    shutil.copy(ROOT / "deploy/docker/requirements.lock", tree / "srv/requirements.lock")
    pip = ("chroot", tree, "/opt/stocksync/bin/pip", "install", "-q", "--no-deps", "--disable-pip-version-check")
    run("chroot", tree, "python3", "-m", "venv", "/opt/stocksync")
    run(*pip, "--require-hashes", "-r", "/srv/requirements.lock")
    run(*pip, "--force-reinstall", f"/srv/wheels/{next(wheels.glob('*.whl')).name}")
    shutil.copy(ROOT / "deploy/systemd/stocksync.service", tree / "etc/systemd/system/stocksync.service")
    (tree / "etc/stocksync").mkdir(exist_ok=True)
    key = tree / "etc/stocksync/qoyod-key"
    key.write_text(SECRET)
    key.chmod(0o600)
    drop_in = tree / "etc/systemd/system/stocksync.service.d"
    drop_in.mkdir(exist_ok=True)
    (drop_in / "faster.conf").write_text(FASTER)


@contextmanager
def booted(tree: Path) -> Iterator[Machine]:
    boot = ["systemd-nspawn", "-D", str(tree), "--register=no", "--keep-unit", "--boot", "--console=read-only"]
    told = tree.with_name(f"{tree.name}.log")
    with told.open("w") as log:
        process = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        leader = until(lambda: process.poll() is None and children.read_text().split(), "systemd is begun", 30)
        machine = Machine(tree, int(leader[0]))
        state = ("systemctl", "is-system-running")
        until(lambda: machine.enter(*state, check=False).strip() in {"running", "degraded"}, "it has booted")
        yield machine
    except AssertionError:
        if process.poll() is not None:
            pytest.skip(f"nothing boots here: {told.read_text(errors='replace')[-300:]}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def qoyod() -> Iterator[int]:
    port = free_port()
    command = [Path(sys.executable).with_name("stocksync"), "simulator", f"--port={port}", "--products=20"]
    process = subprocess.Popen([*map(str, command), f"--api-key={SECRET}"], stderr=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait()


def account(name: str, port: int) -> str:
    return (
        f'\n[[accounts]]\nname = "{name}"\ntenant = "{name}"\nbase_url = "http://127.0.0.1:{port}/2.0"\n'
        '[accounts.auth]\nsecret_file = "$CREDENTIALS_DIRECTORY/qoyod-key"\n[accounts.poll]\ninterval = "2s"\n'
        f'[accounts.target]\nurl = "sqlite:////var/lib/stocksync/{name}.db"\ncreate_table = true\n'
    )


def test_a_whole_life_under_systemd(tree: Path, qoyod: int) -> None:
    with booted(tree) as machine:
        machine.configure(account("main", qoyod))
        machine.enter("systemctl", "start", "stocksync")
        assert machine.shows("ActiveState") == "active", "ready, or `start` would wait"
        until(lambda: machine.shows("StatusText").startswith("1 account fresh; lag"), "it tells its lag")
        assert (tree / "var/lib/private/stocksync/stocksync.db").exists(), "a relative state stands in its own folder"
        pid = machine.shows("MainPID")
        assert SECRET not in machine.enter("cat", f"/proc/{pid}/environ")
        assert SECRET not in machine.enter("systemctl", "show", "stocksync")
        assert "root" not in machine.enter("ps", "-o", "user=", "-p", pid)

        machine.configure(account("main", qoyod), account("second", qoyod))
        machine.enter("systemctl", "reload", "stocksync")
        until(lambda: machine.shows("StatusText").startswith("2 accounts fresh"), "the second account is there")
        machine.configure(more="nonsense = 1\n")
        machine.enter("systemctl", "reload", "stocksync")
        until(lambda: machine.shows("StatusText").startswith("reload refused: "), "it says so")
        assert machine.shows("MainPID") == pid
        assert machine.shows("ActiveState") == "active"

        machine.configure(account("main", qoyod))
        machine.enter("kill", f"-{signal.SIGSTOP.value}", pid)
        until(lambda: machine.shows("NRestarts") == "1", "the watchdog kills what stands still")
        until(lambda: machine.shows("StatusText").startswith("1 account fresh"), "and it begins again")
        assert machine.shows("MainPID") != pid

        machine.enter("systemctl", "stop", "stocksync")
        assert (machine.shows("Result"), machine.shows("ExecMainStatus")) == ("success", "0")
        assert '"event": "stopped"' in machine.log()

        machine.configure(more="nonsense = 1\n")
        machine.enter("systemctl", "start", "stocksync", check=False)
        until(lambda: machine.shows("ActiveState") == "failed", "a configuration that cannot work is not tried again")
        assert machine.shows("ExecMainStatus") == "2"
        assert SECRET not in machine.enter("journalctl", "--no-pager")
