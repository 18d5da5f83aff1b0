"""A SQLite file that is removed or replaced while it is in use: state, target, lock."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from leasing import claim, renew
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.errors import StateInUse, StateUnavailable
from stocksync.file_identity import FileReplaced
from stocksync.sqlengine import open_engine, reading, writing
from stocksync.state.commit_count import CommitCount
from stocksync.state.database import Database, open_state
from stocksync.state.lockfile import LockFile

KEPT = timedelta(days=90)
TTL = timedelta(minutes=5)
WORDS = (
    "state.db was removed or replaced while it was in use: stop stocksync, put the file in its place, start it again"
)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_state(f"sqlite:///{tmp_path / 'state.db'}", KEPT)
    opened.lock()
    yield opened
    await opened.close()


def remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


async def write_all(state: Database, lease: Any) -> list[str]:
    """Try everything that a writer does; gives the errors."""
    said = []
    for attempt in (lambda: claim(state, "main", "me", TTL), lambda: renew(state, lease, TTL),
                    lambda: state.intend(lease, "c1", []), lambda: state.confirm(lease, timedelta(0)),
                    lambda: state.meet(lease, "t")):  # fmt: skip
        with pytest.raises(StateUnavailable) as error:
            await attempt()
        said.append(str(error.value))
    with pytest.raises(StateUnavailable):
        async with state.transaction(lease):
            pass
    return said


async def test_a_state_that_was_removed_is_written_no_more_and_not_made_anew(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    remove(tmp_path, "state.db", "state.db-wal", "state.db-shm")
    for said in await write_all(state, lease):
        assert WORDS in said
    assert not (tmp_path / "state.db").exists()


async def test_a_state_that_was_replaced_is_written_no_more_nor_is_the_other(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    other = await open_state(f"sqlite:///{tmp_path / 'other.db'}", KEPT)
    await other.close()
    shutil.copy(tmp_path / "other.db", tmp_path / "backup.db")
    remove(tmp_path, "state.db-wal", "state.db-shm")
    (tmp_path / "backup.db").replace(tmp_path / "state.db")
    before = (tmp_path / "state.db").read_bytes()
    for said in await write_all(state, lease):
        assert WORDS in said
    assert (tmp_path / "state.db").read_bytes() == before


async def test_a_state_that_is_put_back_is_used_again(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    assert lease is not None
    (tmp_path / "state.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(StateUnavailable):
        await renew(state, lease, TTL)
    (tmp_path / "elsewhere.db").rename(tmp_path / "state.db")
    await renew(state, lease, TTL)
    assert await claim(state, "main", "me", TTL) == lease


async def test_a_removal_in_the_middle_of_a_transaction_undoes_it(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    assert lease is not None
    with pytest.raises(StateUnavailable):
        async with state.transaction(lease):
            (tmp_path / "state.db").rename(tmp_path / "elsewhere.db")


async def test_a_removal_between_the_two_looks_of_a_commit_is_told_in_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    opened = await open_state(f"sqlite:///{file}", KEPT)
    await opened.close()
    count = CommitCount(file)
    file.unlink()  # the identity of the file was confirmed a moment before
    with pytest.raises(FileReplaced, match=WORDS):
        count._count_in_file()


async def test_who_opens_a_new_state_at_the_same_place_is_the_only_writer(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    remove(tmp_path, "state.db", "state.db-wal", "state.db-shm", "state.db.lock")
    second = await open_state(f"sqlite:///{tmp_path / 'state.db'}", KEPT)
    second.lock()
    assert await claim(second, "main", "you", TTL) is not None
    await write_all(state, lease)
    await second.close()


async def test_a_lock_file_that_was_removed_is_taken_anew_or_the_writing_stops(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    assert lease is not None
    remove(tmp_path, "state.db.lock")
    await renew(state, lease, TTL)
    rival = LockFile(tmp_path / "state.db.lock")
    with pytest.raises(StateInUse):
        rival.acquire()
    remove(tmp_path, "state.db.lock")
    rival.acquire()
    for attempt in (lambda: renew(state, lease, TTL), lambda: claim(state, "main", "me", TTL)):
        with pytest.raises(StateInUse, match="in use by process"):
            await attempt()
    rival.release()
    await renew(state, lease, TTL)


def _copied(folder: Path, *, whole: bool) -> None:
    """Make a backup as people do: the file alone, or by SQLite, which takes what is in the log along."""
    if not whole:
        shutil.copy(folder / "state.db", folder / "backup.db")
        return
    with (
        closing(sqlite3.connect(folder / "state.db")) as source,
        closing(sqlite3.connect(folder / "backup.db")) as backup,
    ):
        source.backup(backup)


@pytest.mark.parametrize("backup", ["the file", "a backup", "another state", "nothing"])
@pytest.mark.parametrize("checkpoint", [False, True])
async def test_a_state_that_was_copied_over_is_written_no_more(
    state: Database, tmp_path: Path, backup: str, *, checkpoint: bool
) -> None:
    """`cp backup.db state.db` leaves the inode as it was."""
    lease = await claim(state, "main", "me", TTL)
    with closing(sqlite3.connect(tmp_path / "state.db")) as beside:
        beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if backup == "another state":
        other = await open_state(f"sqlite:///{tmp_path / 'backup.db'}", KEPT)
        await other.close()
    elif backup == "nothing":
        (tmp_path / "backup.db").touch()
    else:
        _copied(tmp_path, whole=backup == "a backup")
    await renew(state, lease, TTL)
    if checkpoint:
        with closing(sqlite3.connect(tmp_path / "state.db")) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await renew(state, lease, TTL)
    before = (tmp_path / "state.db").stat().st_ino
    with (tmp_path / "backup.db").open("rb") as copied, (tmp_path / "state.db").open("r+b") as over:
        over.truncate()
        shutil.copyfileobj(copied, over)
    assert (tmp_path / "state.db").stat().st_ino == before
    if not checkpoint and backup in {"the file", "a backup"}:
        await renew(state, lease, TTL)  # the very pages that stood there: nothing is lost
        return
    with pytest.raises(StateUnavailable, match=r"was overwritten while it was in use: stop stocksync, remove state"):
        await renew(state, lease, TTL)


async def test_commits_of_other_processes_are_no_replacement(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    second = await open_state(f"sqlite:///{tmp_path / 'state.db'}", KEPT)
    for _ in range(3):
        await second.retry("main")
        await renew(state, lease, TTL)
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            beside.execute("VACUUM")
        await renew(state, lease, TTL)
    await second.close()
    await renew(state, lease, TTL)


async def test_a_log_that_was_removed_is_written_no_more_and_is_not_lost(state: Database, tmp_path: Path) -> None:
    lease = await claim(state, "main", "me", TTL)
    remove(tmp_path, "state.db-wal", "state.db-shm")
    with pytest.raises(
        StateUnavailable, match=r"state\.db-wal was removed or replaced .*stop stocksync, start it again"
    ):
        await renew(state, lease, TTL)
    await state.close()
    again = await open_state(f"sqlite:///{tmp_path / 'state.db'}", KEPT)
    assert (await again.status(["main"]))[0].owner == "me"
    await again.close()


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'shop.db'}", "target")
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE levels (quantity INT)"))
    yield engine
    await engine.dispose()


async def test_a_target_that_was_removed_is_not_made_anew_and_one_that_was_replaced_is_followed_to(
    target: AsyncEngine, tmp_path: Path
) -> None:
    shutil.copy(tmp_path / "shop.db", tmp_path / "restored.db")
    remove(tmp_path, "shop.db", "shop.db-wal", "shop.db-shm")
    for _ in range(2):
        with pytest.raises(FileReplaced, match=r"shop\.db was removed or replaced while it was in use$"):
            async with writing(target):
                pass
    assert not (tmp_path / "shop.db").exists()
    (tmp_path / "restored.db").rename(tmp_path / "shop.db")
    async with reading(target) as connection:
        (await connection.execute(text("SELECT 1"))).close()


async def test_what_is_being_written_to_a_target_that_is_replaced_counts_as_not_written(
    target: AsyncEngine, tmp_path: Path
) -> None:
    async def write_and_replace() -> None:
        async with writing(target) as connection:
            await connection.execute(text("INSERT INTO levels VALUES (5)"))
            shutil.copy(tmp_path / "shop.db", tmp_path / "restored.db")
            (tmp_path / "restored.db").replace(tmp_path / "shop.db")

    with pytest.raises(FileReplaced):
        await write_and_replace()
