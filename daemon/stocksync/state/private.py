"""A SQLite state is its owner's alone: OAuth refresh tokens stand in it."""

import os
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.dsn.sqlite_file import file_of
from stocksync.sqlengine import reading

log = structlog.get_logger(__name__)

OWNER_ONLY = 0o600
_OTHERS = 0o077
_BESIDE = ("", "-wal", "-shm", "-journal", ".lock")
_FOREIGN = text("SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'stocksync%' AND name NOT LIKE 'sqlite%'")


def make_private(url: URL) -> None:
    """Make the file of a new SQLite state before SQLite does, which asks the umask; what it adds has the same mode."""
    file = file_of(url)
    if file is None:
        return
    with suppress(OSError):  # it is there, or cannot be made: whoever connects says so
        os.close(new_file(file))


def new_file(file: Path) -> int:
    """Make a file that its owner alone may read, and open it; in place of root the owner of its folder has it.

    What `sudo stocksync plan` made first, the daemon's own user could not write.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be made.

    """
    opened = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, OWNER_ONLY)
    with suppress(OSError):  # there are mounts without modes
        os.fchmod(opened, OWNER_ONLY)  # whatever the umask is
    with suppress(OSError):  # or without owners, and a root that may not change them
        if os.geteuid() == 0:
            owner = file.parent.stat()
            os.fchown(opened, owner.st_uid, owner.st_gid)
    return opened


async def keep_private(engine: AsyncEngine) -> None:
    """Take an existing SQLite state from the eyes of others, or say that they may read it.

    A file that holds somebody else's tables as well is left alone: they may need to read them.
    """
    file = file_of(engine.url)
    if file is None:
        return
    exposed: dict[Path, int] = {}
    for path in [Path(f"{file}{ending}") for ending in _BESIDE]:
        with suppress(OSError):
            mode = path.stat().st_mode & 0o777
            if mode & _OTHERS:
                exposed[path] = mode
    if not exposed:
        return
    async with reading(engine) as connection:
        ours_alone = not (await connection.execute(_FOREIGN)).scalar_one()
    files = {str(each): f"{mode:04o}" for each, mode in exposed.items()}
    if ours_alone and all(_tightened(each) for each in exposed):
        log.warning("state_files_made_private", files=files, now=f"{OWNER_ONLY:04o}")
    else:
        log.warning("state_files_open_to_others", files=files, todo=f"chmod 600 {' '.join(files)}")


def _tightened(file: Path) -> bool:
    try:
        file.chmod(OWNER_ONLY)
    except OSError:
        return False
    return True
