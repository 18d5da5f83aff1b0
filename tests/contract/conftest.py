"""States to hold to one contract: three databases and the simulation's memory."""

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))

from migrating import migrate_now
from servers import Server

from stocksync.memory import MemoryState, MemoryStore
from stocksync.state.database import Database, open_state
from stocksync.state.schema import metadata

AnyState = Any
"""Database or MemoryState: both are State, StateQueries and TokenStore at once."""


@dataclass(slots=True)
class Wall:
    """A clock that only moves when told to: MemoryState needs one, the databases have their own."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def _empty(server: Server, url: str) -> None:
    tables = [table.name for table in metadata.sorted_tables]
    server.sql(" ".join(f"DELETE FROM {table};" for table in tables), url.rsplit("/", 1)[1])


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: Server) -> str:
    url = postgresql_server.new_database()
    migrate_now(url)
    return url


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb_server: Server) -> str:
    url = mariadb_server.new_database()
    migrate_now(url)
    return url


@pytest.fixture
def postgresql_state_url(postgresql_server: Server, migrated_postgresql: str) -> str:
    """Give a migrated database whose tables are empty: far faster than a fresh one for each test."""
    postgresql_server.start()
    _empty(postgresql_server, migrated_postgresql)
    return migrated_postgresql


@pytest.fixture
def mariadb_state_url(mariadb_server: Server, migrated_mariadb: str) -> str:
    """Give a migrated database whose tables are empty."""
    mariadb_server.start()
    _empty(mariadb_server, migrated_mariadb)
    return migrated_mariadb


@pytest.fixture
def sqlite_state_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """Give a migrated file whose tables are empty."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'fresh.db')}"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def state_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty, migrated state database on each of the three."""
    url: str = request.getfixturevalue(f"{request.param}_state_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "memory"])
async def another_state(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Awaitable[AnyState]]]:
    """Give a way to open one and the same state again and again, each time as another process would."""
    opened: list[Database] = []
    store, wall = MemoryStore(), Wall()
    url = "" if request.param == "memory" else request.getfixturevalue(f"{request.param}_state_url")

    async def again() -> AnyState:
        if not url:
            return MemoryState(wall, store)
        state = await open_state(url, timedelta(days=90))
        opened.append(state)
        return state

    yield again
    for state in opened:
        await state.close()


@pytest.fixture
async def state(another_state: Callable[[], Awaitable[AnyState]]) -> AnyState:
    """Give a fresh state on each database and in memory."""
    return await another_state()


@pytest.fixture(scope="session")
def shared_postgresql(postgresql_server: Server) -> str:
    return postgresql_server.new_database()


@pytest.fixture(scope="session")
def shared_mariadb(mariadb_server: Server) -> str:
    return mariadb_server.new_database()


@pytest.fixture
def target_postgresql_url(postgresql_server: Server, shared_postgresql: str) -> str:
    """Give an empty database; far faster than a fresh one."""
    postgresql_server.start()
    emptied = "DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA public"
    postgresql_server.sql(emptied, shared_postgresql.rsplit("/", 1)[1])
    return shared_postgresql


@pytest.fixture
def target_mariadb_url(mariadb_server: Server, shared_mariadb: str) -> Iterator[str]:
    """Give an empty database.

    It is emptied afterwards: where any table of the server knows no transactions, a rehearsal elsewhere explains only.
    """
    mariadb_server.start()
    yield shared_mariadb
    mariadb_server.start()
    name = shared_mariadb.rsplit("/", 1)[1]
    mariadb_server.sql(f"DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4")


@pytest.fixture
def target_sqlite_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def target_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty target database on each of the three."""
    url: str = request.getfixturevalue(f"target_{request.param}_url")
    return url
