"""One process per SQLite state: a lock that the operating system gives back at death."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from stocksync.errors import StateInUse, StateUnavailable


class LockFile:
    """A file beside the database; the holder's process id stands in it for people."""

    def __init__(self, path: Path) -> None:
        """Take the path of the lock file; nothing is opened yet."""
        self.path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self) -> None:
        """Take the lock; without effect where this object holds it.

        Raises:
            StateInUse: another process holds it.
            StateUnavailable: the file cannot be made.

        """
        if self._file is not None:
            return
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable(f"cannot make the lock file {self.path}: {error.strerror}") from error
        with suppress(OSError):  # whatever the umask was; another user's file stays as it is
            os.fchmod(file, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise StateInUse(f"the state {self.path.with_suffix('')} is in use by process {holder}; stop it") from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back; the file stays, as deleting it would let two holders in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
