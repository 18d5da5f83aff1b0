"""Where a SQLite database stands, and what keeps it from being there."""

import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL


def file_of(url: URL) -> Path | None:
    """Give the file of a parsed URL; None where it names a server, or memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database).removeprefix("file:").partition("?")[0]).absolute()


def obstacle(file: Path) -> str | None:
    """Say what no waiting mends, and the cure: SQLite itself says no more than "unable to open database file"."""
    try:
        return _obstacle(file)
    except PermissionError as error:
        return f"user {_name(os.geteuid())} may not look for {error.filename}: run as the owner of its folder"


def _obstacle(file: Path) -> str | None:
    folder = file.parent
    if file.is_dir():
        return f"{file} is a directory; name a file in it"
    if not folder.is_dir():
        reason = "is no folder" if folder.exists() else "does not exist"
        return f"the folder {folder} {reason}: mkdir -p {folder}, or name another"
    for barred, rights in ((folder, os.W_OK | os.X_OK), (file, os.R_OK | os.W_OK)):
        if not barred.exists() or os.access(barred, rights, effective_ids=True):
            continue
        kind = "folder" if barred is folder else "file"
        owner, me = _name(barred.stat().st_uid), _name(os.geteuid())
        if owner == me:
            return f"the {kind} {barred} may not be written by its owner {me}: chmod u+rwX {barred}"
        return f"the {kind} {barred} may not be written by user {me}: run as its owner {owner}, or chown {me} {barred}"
    if file.is_file():  # else it is still to be made one
        try:
            with beside(file) as connection:
                connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                return f"{file} is not a database: name another file"
    return None


def beside(file: Path) -> "closing[sqlite3.Connection]":
    """Open a file as it stands, without its log, to be read beside whoever uses it.

    Never by open(): where such a descriptor is closed, the system takes all locks of this process on the file away.
    Another program then thinks itself alone, and removes the log that is in use.
    https://www.sqlite.org/howtocorrupt.html, section 2.2
    """
    return closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True))


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a container's user id may have no name
        return str(user)
