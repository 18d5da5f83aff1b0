"""Standard error that is never waited for: whoever does not read it stops neither a poll nor the end."""

import atexit
import io
import os
import select
import sys
import threading
from collections import deque
from typing import TextIO

import structlog

log = structlog.get_logger(__name__)

_LIMIT = 4 * 1024 * 1024
"""Bytes that wait for the reader at most."""
_LAST_WORDS_SECONDS = 2.0
"""What the reader is given at the end of the process to take what waits."""
_PIECE = 64 * 1024


class QueuedStream(io.TextIOBase):
    """A text stream whose writes are queued, and written by a thread of its own; what does not fit is counted."""

    def __init__(self, under: TextIO, limit: int = _LIMIT) -> None:
        """Take the stream that has been standard error, for its descriptor."""
        self._descriptor = under.fileno()
        self._tty = under.isatty()
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._told = 0
        # Re-entrant: a destructor that complains may run in the middle of a write.
        self._changed = threading.Condition(threading.RLock())
        self.dropped = 0
        """Lines that nobody will ever read."""
        threading.Thread(target=self._serve, name="standard error", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has a plain attribute
        """What is written."""
        return "utf-8"

    def isatty(self) -> bool:
        """Whether a person reads."""
        return self._tty

    def fileno(self) -> int:
        """Give the descriptor that the thread writes to."""
        return self._descriptor

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    def write(self, text: str) -> int:
        """Queue text, without waiting for anybody."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._size + len(data) > self._limit:
                self.dropped += _lines(data)
            else:
                self._waiting.append(data)
                self._size += len(data)
                self._changed.notify_all()
        return len(text)

    def drain(self, seconds: float = _LAST_WORDS_SECONDS) -> bool:
        """Wait until all is written, or so long; give whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._size == 0, seconds)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
            written = _write(self._descriptor, data)
            with self._changed:
                self._size -= len(data)
                self.dropped += 0 if written else _lines(data)
                news = self.dropped - self._told if written and not self._waiting else 0
                self._told += news
                self._changed.notify_all()
            if news:
                log.warning("log_lines_dropped", lines=news, reason="nobody read standard error")


def unblock() -> QueuedStream | None:
    """Put a queue before standard error for the rest of the process; None where it has no descriptor."""
    if isinstance(sys.stderr, QueuedStream):
        return sys.stderr
    try:
        stream = QueuedStream(sys.stderr)
    except (OSError, ValueError, AttributeError):
        return None
    sys.stderr = stream
    atexit.register(stream.drain)
    return stream


def dropped() -> int:
    """Count the lines that standard error did not take."""
    return sys.stderr.dropped if isinstance(sys.stderr, QueuedStream) else 0


def _write(descriptor: int, data: bytes) -> bool:
    """Write all of it, however long that takes; False where nobody can ever read it."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left[:_PIECE]) :]
        except BlockingIOError:  # somebody who shares the descriptor made it non-blocking
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll(1000)
        except OSError:
            return False
    return True


def _lines(data: bytes) -> int:
    return max(1, data.count(b"\n"))
