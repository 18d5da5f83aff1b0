"""Where a SQLite database stands, and what keeps it from being there."""

import os
import pwd
from pathlib import Path

from sqlalchemy.engine import URL

_MAGIC = b"SQLite format 3\0"


def file_of(url: URL) -> Path | None:
    """Give the file of a parsed URL; None where it names a server, or memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database).removeprefix("file:").partition("?")[0]).absolute()


def obstacle(file: Path) -> str | None:
    """Say what no waiting mends, and the cure: SQLite itself says no more than "unable to open database file"."""
    folder = file.parent
    if file.is_dir():
        return f"{file} is a directory; name a file in it"
    if not folder.is_dir():
        reason = "is no folder" if folder.exists() else "does not exist"
        return f"the folder {folder} {reason}: mkdir -p {folder}, or name another"
    for barred, rights in ((folder, os.W_OK | os.X_OK), (file, os.R_OK | os.W_OK)):
        if barred.exists() and not os.access(barred, rights, effective_ids=True):
            return _barred(barred)
    return None if _may_be_sqlite(file) else f"{file} is not a database: name another file"


def _may_be_sqlite(file: Path) -> bool:
    """Whether a file is SQLite's, or is still to be made one: https://www.sqlite.org/fileformat.html, 1.3."""
    try:
        with file.open("rb") as opened:
            start = opened.read(len(_MAGIC))
    except OSError:
        return True
    return start in {b"", _MAGIC}


def _barred(barred: Path) -> str:
    kind = "folder" if barred.is_dir() else "file"
    owner, me = _name(barred.stat().st_uid), _name(os.geteuid())
    if owner == me:
        return f"the {kind} {barred} may not be written by its owner {me}: chmod u+rwX {barred}"
    return f"the {kind} {barred} may not be written by user {me}: run as its owner {owner}, or chown {me} {barred}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a container's user id may have no name
        return str(user)
