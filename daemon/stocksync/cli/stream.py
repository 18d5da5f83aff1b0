"""What stands between the tables and standard output: a pipe is not padded, and a poor terminal loses no meaning."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from stocksync.errors import OutputFailed

GLUE = "\ue000"
"""Stands for a blank at which no line is broken."""

_TRAILING = re.compile(r"[ \t]+((?:\x1b\[[0-9;]*m)*)(?=\r?\n)")
_MARKS = {
    ord(sign): plain
    for plain, signs in {
        "+": "✓", "x": "✗\u00d7", ">": "→", "<": "←", "...": "…", "-": "─━·\u2013\u2014", "|": "│", "*": "●•",
        "'": "\u2018\u2019", '"': "“”", "?": "�",
    }.items()
    for sign in signs
}  # fmt: skip


class Stream:
    """Standard output or standard error as they are when written to, for Rich."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    def write(self, text: str) -> int:
        """Write, without the blanks that tables end their lines with."""
        with told():
            return self._real.write(writable(_TRAILING.sub(r"\1", text.replace(GLUE, " ")), self._real.encoding))

    def flush(self) -> None:
        """Write what is buffered."""
        with told():
            self._real.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a text stream has
        """Be the real stream in everything else."""
        return getattr(self._real, name)

    @property
    def _real(self) -> TextIO:
        return sys.stderr if self._stderr else sys.stdout


@contextmanager
def told() -> Iterator[None]:
    """Tell a full disk from a mistake of ours; a reader that has gone stays what it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(f"the output cannot be written: {error.strerror or error}") from error


def writable(text: str, encoding: str | None) -> str:
    """Put text into what an encoding can write: our marks by their nearest, the rest by its number."""
    name = encoding or "utf-8"
    try:
        text.encode(name)
    except UnicodeEncodeError:
        return text.translate(_MARKS).encode(name, errors="backslashreplace").decode(name)
    return text


def as_json(text: str, encoding: str | None) -> str:
    """As `writable`, for JSON, which has escapes of its own."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return re.sub(r"[^\x00-\x7f]", lambda sign: json.dumps(sign[0])[1:-1], text)
    return text


def prepare() -> None:
    """Let no character end a command in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def finish() -> None:
    """Write what is buffered; a reader that went away is no fault of ours."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Python would flush once more at its end, and print what it thinks of that.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
