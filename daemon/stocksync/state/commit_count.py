"""Whether a SQLite state was copied over while it was in use, which leaves the file's inode as it was.

SQLite does not notice: it goes on reading newer pages from its log, and at the next checkpoint mixes both. So each
commit is counted, in a row of its own. In the file stands the count of the last checkpoint, in the log the newest, and
neither ever goes back.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import event, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, Engine

from stocksync.dsn.sqlite_file import beside
from stocksync.file_identity import FileReplaced, replaced
from stocksync.sqlengine import READ_ONLY
from stocksync.state.schema import commits

_COUNT = select(commits.c.count)
_FIRST = insert(commits).values(id=1, count=1)
_NEXT = _FIRST.on_conflict_do_update(index_elements=["id"], set_={"count": commits.c.count + 1})
_CHANGES = text("SELECT total_changes()")
_KEY = "stocksync_changes"
_TRIES = 3


class CommitCount:
    """Counts the commits of one engine, and holds the file against the count before each of them."""

    def __init__(self, file: Path) -> None:
        """Take the file."""
        self._file = file
        self._seen = self._seen_in_file = 0

    def watch(self, engine: Engine) -> None:
        """Begin to count; the tables are there."""
        event.listen(engine, "commit", self._before_commit)

    def _before_commit(self, connection: Connection) -> None:
        if connection.get_execution_options().get(READ_ONLY, False) or not self._wrote(connection):
            return
        count, in_file = connection.execute(_COUNT).scalar() or 0, self._count_in_file()
        if count < self._seen or in_file < self._seen_in_file or in_file > count:
            raise self._overwritten()
        self._seen, self._seen_in_file = count, in_file
        connection.execute(_NEXT).close()
        self._wrote(connection)  # what it did itself counts with this commit

    def _wrote(self, connection: Connection) -> bool:
        """Whether rows were changed over this connection since it was last asked; what was taken back counts too."""
        changes = connection.execute(_CHANGES).scalar_one()
        wrote = changes != connection.info.get(_KEY, 0)
        connection.info[_KEY] = changes
        return bool(wrote)

    def _count_in_file(self) -> int:
        """Read the file as it stands, without its log."""
        for _ in range(_TRIES):  # another process's checkpoint may be under way
            try:
                with beside(self._file) as connection:
                    found = connection.execute(str(_COUNT)).fetchone()
            except sqlite3.DatabaseError as error:
                if not self._file.exists():  # since it was looked at a moment ago
                    raise replaced(self._file) from error
                if "no such table" in str(error):  # all of it is in the log still
                    return 0
                continue
            return int(found[0]) if found else 0
        raise self._overwritten()

    def _overwritten(self) -> FileReplaced:
        name = self._file.name
        cure = f"stop stocksync, remove {name}-wal and {name}-shm, copy it again, start it"
        return FileReplaced(f"{self._file} was overwritten while it was in use: {cure}")
