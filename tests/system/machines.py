"""What the tests of the image and of the unit share: they make whole machines, by programs that take minutes."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def run(
    *command: str | Path, check: bool = True, within: float = 1800, environ: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end; give what it printed, which a failure shows."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=within, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{command}: {done.stdout[-3000:]}"
    return done.stdout


def until(condition: Callable[[], Any], what: str, within: float = 90) -> Any:
    """Wait for something that a machine does in its own time."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.3)
    return found
