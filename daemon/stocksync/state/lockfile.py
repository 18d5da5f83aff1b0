"""One process per SQLite state: a lock that the operating system gives back at death."""

import fcntl
import os
from pathlib import Path

from stocksync.errors import StateInUse, StateUnavailable
from stocksync.file_identity import identity_of
from stocksync.state.private import OWNER_ONLY, new_file


class LockFile:
    """A file beside the database; the holder's process id stands in it for people."""

    def __init__(self, path: Path) -> None:
        """Take the path of the lock file; nothing is opened yet."""
        self.path = path
        self._file: int | None = None
        self._taken = False
        """Taken and not given back: whatever has become of the file since."""

    @property
    def held(self) -> bool:
        """Whether this object holds the lock: the one of a removed file keeps nobody off."""
        if self._file is None:
            return False
        ours = os.fstat(self._file)
        return identity_of(self.path) == (ours.st_dev, ours.st_ino)

    def acquire(self) -> None:
        """Take the lock; without effect where this object holds it.

        Raises:
            StateInUse: another process holds it.
            StateUnavailable: the file cannot be made.

        """
        if self.held:
            return
        self._close()
        try:
            try:
                file = new_file(self.path)
            except FileExistsError:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        except OSError as error:
            raise StateUnavailable(f"cannot make the lock file {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise StateInUse(f"the state {self.path.with_suffix('')} is in use by process {holder}; stop it") from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file, self._taken = file, True

    def confirm(self) -> None:
        """Where the lock was taken and its file is no longer the one that others find, take it anew.

        Raises:
            StateInUse: another process was faster.
            StateUnavailable: the file cannot be made.

        """
        if self._taken:
            self.acquire()

    def release(self) -> None:
        """Give the lock back; the file stays, as deleting it would let two holders in."""
        self._taken = False
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
