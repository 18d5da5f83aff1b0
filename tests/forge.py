"""Commands as forks of one process: each is a process of its own, and spared is only the second that imports take."""

import asyncio
import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crashing


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Forge:
    """Starts commands one after the other; see crashing.py for `bomb`."""

    def __init__(self) -> None:
        # Its forks end without a word to the coverage tool, so measuring them would cost time for nothing.
        hidden = ("COVERAGE_", "STOCKSYNC_")
        environ = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(crashing.__file__))], env=environ, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._lock = threading.Lock()
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, order: Mapping[str, Any]) -> Ended:
        folder = Path(order["folder"])
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return Ended(code, *((folder / name).read_text(encoding="utf-8") for name in ("out", "err")))

    async def command(self, argv: tuple[str, ...], folder: Path, environ: Mapping[str, str], **bomb: Any) -> Ended:
        """Run `stocksync …` in a folder to its end, or to its death (code -9)."""
        order = {"argv": argv, "environ": dict(environ), "folder": str(folder), **bomb}
        return await asyncio.to_thread(self._ask, order)


_made: list[Forge] = []


def forge() -> Forge:
    """Give the one of this test process."""
    if not _made:
        _made.append(Forge())
    return _made[0]
