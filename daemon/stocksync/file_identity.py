"""Whether a SQLite database is still the file that was opened: what is written to another one is lost in silence."""

from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError

Identity = tuple[int, int]
"""Device and inode."""
_KEY = "stocksync_file"


class FileReplaced(OSError):
    """The database's file is gone, or another one stands in its place."""


def identity_of(file: Path) -> Identity | None:
    """Tell which file stands at a path; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def replaced(file: Path, *, pinned: bool = True) -> FileReplaced:
    """Say that a file is no longer the one that was opened."""
    cure = ": stop stocksync, put the file in its place, start it again" if pinned else ""
    return FileReplaced(f"{file} was removed or replaced while it was in use{cure}")


class FileIdentity:
    """Watches an engine's file; a commit to a file that nobody will ever find fails.

    One that is `pinned` may never be replaced, nor the log beside it; else connections follow to the new one.
    """

    def __init__(self, file: Path, *, pinned: bool) -> None:
        """Take the file."""
        self._file = file
        self._log = Path(f"{file}-wal")
        self._pinned = pinned
        self._first: Identity | None = None
        self._first_log: Identity | None = None
        self._open = 0

    def watch(self, engine: Engine) -> None:
        """Begin to watch an engine's connections, and the file where it is there already."""
        self._first = identity_of(self._file)
        event.listen(engine, "do_connect", self._before_connect)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "checkout", self._checked_out)
        event.listen(engine, "commit", self._before_commit)

    def _before_connect(self, *_: object) -> None:
        # SQLite would make the file anew, empty, and everything that stood in it would count as never known.
        now = identity_of(self._file)
        if self._first is not None and (now is None or (self._pinned and now != self._first)):
            raise self._error()
        self._confirm_log()

    def _connected(self, _connection: object, record: Any) -> None:  # noqa: ANN401  SQLAlchemy's own type is private
        record.info[_KEY] = identity_of(self._file)
        self._first = self._first or record.info[_KEY]
        self._open += 1

    def _closed(self, *_: object) -> None:
        self._open -= 1
        if not self._open:
            self._first_log = None  # the last connection takes the log with it, and the next one begins another

    def _checked_out(self, _connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401  as above
        if not self._is_same(record.info):
            raise DisconnectionError(str(self._error()))  # the pool connects anew, where that is allowed
        self._confirm_log()

    def _before_commit(self, connection: Connection) -> None:
        if not self._is_same(connection.info):
            raise self._error()
        self._confirm_log()

    def _is_same(self, info: dict[Any, Any]) -> bool:
        now = identity_of(self._file)
        if info.get(_KEY) is None:  # connected before SQLite had made the file
            info[_KEY] = now
        return bool(info[_KEY] == now)

    def _confirm_log(self) -> None:
        """Refuse to go on beside a log that was removed: what is committed to it ends with this process."""
        if not (self._pinned and self._open):
            return
        now = identity_of(self._log)
        self._first_log = self._first_log or now
        if now != self._first_log:
            raise FileReplaced(
                f"{self._log} was removed or replaced while it was in use: stop stocksync, start it again"
            )

    def _error(self) -> FileReplaced:
        return replaced(self._file, pinned=self._pinned)
