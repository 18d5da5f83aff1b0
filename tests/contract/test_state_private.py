"""A SQLite state, with the refresh tokens in it, is its owner's alone, whatever the umask is and was."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from stocksync.state.database import open_state
from stocksync.state.migrate import migrate

KEPT = timedelta(days=90)


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=["open", "usual", "strange"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in sorted(folder.iterdir())}


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_uid, file.stat().st_gid) for file in folder.iterdir()}


@pytest.mark.usefixtures("umask")
async def test_a_new_one_and_all_beside_it_is_made_for_the_owner_alone(tmp_path: Path, sqlite_url: str) -> None:
    state = await open_state(sqlite_url, KEPT)
    state.lock()
    await state.save("main", "refresh-1")
    found = modes(tmp_path)
    await state.close()
    assert set(found) == {"fresh.db", "fresh.db-wal", "fresh.db-shm", "fresh.db.lock"}
    assert set(found.values()) == {"600"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files in place of another user")
async def test_what_root_makes_belongs_to_whom_its_folder_belongs(tmp_path: Path, sqlite_url: str) -> None:
    os.chown(tmp_path, 4711, 4712)
    state = await open_state(sqlite_url, KEPT)
    state.lock()
    await state.save("main", "refresh-1")
    found = owners(tmp_path)
    await state.close()
    assert found == dict.fromkeys(["fresh.db", "fresh.db-wal", "fresh.db-shm", "fresh.db.lock"], (4711, 4712))


async def test_migrate_makes_it_private_too(tmp_path: Path, sqlite_url: str) -> None:
    await migrate(sqlite_url)
    assert modes(tmp_path)["fresh.db"] == "600"


def expose(folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0o664)


async def test_one_that_others_may_read_is_taken_from_them_and_the_log_says_so(tmp_path: Path, sqlite_url: str) -> None:
    first = await open_state(sqlite_url, KEPT)
    first.lock()
    await first.close()
    expose(tmp_path)
    with structlog.testing.capture_logs() as events:
        state = await open_state(sqlite_url, KEPT)
        found = modes(tmp_path)
        await state.close()
    assert set(found.values()) == {"600"}
    (told,) = [event for event in events if event["event"] == "state_files_made_private"]
    assert told["files"][str(tmp_path / "fresh.db")] == "0664"


async def test_one_that_is_the_shops_database_as_well_stays_readable_and_the_log_warns(
    tmp_path: Path, sqlite_url: str
) -> None:
    await (await open_state(sqlite_url, KEPT)).close()
    with closing(sqlite3.connect(tmp_path / "fresh.db")) as connection:
        connection.execute("CREATE TABLE stock_levels (product_id INTEGER)")
    (tmp_path / "fresh.db").chmod(0o644)
    with structlog.testing.capture_logs() as events:
        await (await open_state(sqlite_url, KEPT)).close()
    assert modes(tmp_path)["fresh.db"] == "644"
    (told,) = [event for event in events if event["event"] == "state_files_open_to_others"]
    assert told["todo"].startswith(f"chmod 600 {tmp_path / 'fresh.db'}")
