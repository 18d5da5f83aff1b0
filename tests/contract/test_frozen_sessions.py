"""A process that is frozen between the two messages of a statement: PostgreSQL ends its session by no limit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal as D

import asyncpg
import pytest
from leasing import claim
from sqlalchemy import make_url, text

from stocksync import frozen_sessions
from stocksync.core.budget import Pace
from stocksync.core.model import Change
from stocksync.errors import StateUnavailable
from stocksync.ports import Lease
from stocksync.sqlengine import open_engine, writing
from stocksync.state import database
from stocksync.state.database import Database, open_state
from stocksync.targets import Columns, TargetSettings, open_target

PACE = Pace.of(180)
SHORT = timedelta(seconds=1)
Freeze = Callable[[str, str], Awaitable[asyncpg.Connection]]
Opener = Callable[[str], Awaitable[Database]]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    states: list[Database] = []

    async def open_one(url: str) -> Database:
        states.append(await open_state(url, timedelta(days=90)))
        return states[-1]

    yield open_one
    for state in states:
        await state.close()


@pytest.fixture
async def frozen() -> AsyncIterator[Freeze]:
    """Leave a session as a process does that is frozen between PARSE and EXECUTE, its locks held."""
    sessions: list[asyncpg.Connection] = []

    async def freeze(url: str, statement: str) -> asyncpg.Connection:
        one = make_url(url)
        session = await asyncpg.connect(
            host=one.host, port=one.port, user=one.username, password=one.password, database=one.database,
            server_settings={"application_name": "stocksync", "idle_in_transaction_session_timeout": "1s"},
        )  # fmt: skip
        sessions.append(session)
        await session.execute("BEGIN")
        await session.execute(statement)
        await session.prepare("SELECT 1")
        return session

    yield freeze
    for session in sessions:
        session.terminate()


async def test_a_writer_frozen_before_it_executes_a_statement_that_it_has_prepared_cannot_keep_the_account(
    postgresql_state_url: str, opened: Opener, frozen: Freeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_sessions, "_SILENT", SHORT)
    one, two = await opened(postgresql_state_url), await opened(postgresql_state_url)
    await claim(one, "main", "one", timedelta(seconds=0.2))
    locked = "UPDATE stocksync_accounts SET failures = 77"
    await frozen(postgresql_state_url, locked)
    await asyncio.sleep(1.5)
    assert await claim(two, "main", "two", timedelta(minutes=5)) == Lease("main", "two", 2), (
        "no idle limit has ended it"
    )
    assert (await two.status(["main"]))[0].consecutive_failures == 0


async def test_a_writer_frozen_in_the_middle_of_a_renewal_cannot_keep_the_account(
    postgresql_state_url: str, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    one, two = await opened(postgresql_state_url), await opened(postgresql_state_url)
    await claim(one, "main", "one", timedelta(seconds=0.2))
    async with one._brief.engine.connect() as renewing:
        await renewing.execute(text("SELECT 1 FROM stocksync_accounts FOR UPDATE"))
        await asyncio.sleep(1.5)
        assert await claim(two, "main", "two", timedelta(minutes=5)) == Lease("main", "two", 2)
        await renewing.invalidate()


async def test_what_waited_for_another_account_s_frozen_process_works_at_the_next_try(
    postgresql_state_url: str, opened: Opener, frozen: Freeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_sessions, "_SILENT", SHORT)
    monkeypatch.setattr(database, "LOCK_SECONDS", 2)
    state = await opened(postgresql_state_url)
    await state.reserve("tenant", PACE, 1)
    await frozen(postgresql_state_url, "UPDATE stocksync_budgets SET share = share")
    with pytest.raises(StateUnavailable):
        await state.reserve("tenant", PACE, 1)
    await state.reserve("tenant", PACE, 1)


async def test_no_session_is_ended_that_only_takes_its_time(
    postgresql_state_url: str, opened: Opener, frozen: Freeze
) -> None:
    state = await opened(postgresql_state_url)
    session = await frozen(postgresql_state_url, "UPDATE stocksync_accounts SET failures = failures")
    async with state.engine.connect() as connection:
        assert await frozen_sessions.end_frozen_sessions(connection) == 0
    assert await session.fetchval("SELECT 1") == 1


async def agree() -> None:
    return


async def test_a_batch_gets_the_row_that_a_frozen_process_holds(
    target_postgresql_url: str, frozen: Freeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_sessions, "_SILENT", SHORT)
    engine = open_engine(target_postgresql_url, "test")
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity NUMERIC(20, 4))"))
        await connection.execute(text("INSERT INTO stock VALUES (1, 1)"))
    target = open_target(TargetSettings("main", "stock", Columns("quantity", "product_id")), engine, owned=True)
    await frozen(target_postgresql_url, "UPDATE stock SET quantity = 2")
    change = Change(1, "", "A", D(1), D(10), ())
    written = await target.write([change], agree)
    assert written.applied == [change]
    await target.close()
