"""What the state says and does when its database does not do as it should."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from leasing import claim, renew
from servers import LOCK_WAITS_SECONDS, Server, lock_waits
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Cell, Change
from stocksync.errors import LeaseLost, StateError, StateInUse, StateUnavailable
from stocksync.ports import BatchResult, Lease, SnapshotUpdate
from stocksync.sqlengine import writing
from stocksync.state import leases, lock_limits
from stocksync.state.database import Database, open_state
from stocksync.state.lockfile import LockFile
from stocksync.state.schema import accounts
from stocksync.state.types import database_now

KEPT = timedelta(days=90)
TTL = timedelta(minutes=5)
SHORT = timedelta(seconds=1)
CELL = Cell(11, "MAIN")
CHANGE = Change(11, "MAIN", "BW-001", None, Decimal(5), ((3, Decimal(5)),))
Opener = Callable[..., Awaitable[Database]]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    states: list[Database] = []

    async def open_one(url: str, **options: float) -> Database:
        states.append(await open_state(url, KEPT, **options))
        return states[-1]

    yield open_one
    for state in states:
        await state.close()


@pytest.fixture(params=["postgresql", "mariadb"])
def served(request: pytest.FixtureRequest) -> tuple[Server, str]:
    url = request.getfixturevalue(f"{request.param}_state_url")
    return request.getfixturevalue(f"{request.param}_server"), url


async def test_a_server_that_was_away_is_used_again_when_it_is_back(served, opened: Opener) -> None:
    server, url = served
    state = await opened(url)
    lease = await claim(state, "main", "one", TTL)
    server.stop()
    with pytest.raises(StateUnavailable, match="cannot be used now"):
        await state.snapshot("main")
    with pytest.raises(StateUnavailable):
        await state.intend(lease, "c1", [CHANGE])
    server.start()
    await state.intend(lease, "c1", [CHANGE])
    assert (await state.snapshot("main")).cells[CELL].intent == Decimal(5)


async def test_a_frozen_server_is_away_after_our_patience(served, opened: Opener) -> None:
    server, url = served
    state = await opened(url, patience=0.3)
    lease = await claim(state, "main", "one", TTL)
    server.freeze()
    try:
        with pytest.raises(StateUnavailable, match="it does not answer"):
            await asyncio.wait_for(state.intend(lease, "c1", [CHANGE]), 20)
    finally:
        server.thaw()
    await state.intend(lease, "c1", [CHANGE])


async def test_a_take_over_waits_for_the_commit_it_could_have_overtaken(state_url: str, opened: Opener) -> None:
    one, two = await opened(state_url), await opened(state_url)
    lease = await claim(one, "main", "one", timedelta(seconds=0.4))
    async with one.transaction(lease) as transaction:
        await transaction.acknowledge("c1", BatchResult(applied=[CHANGE]))
        await asyncio.sleep(0.4)
        claiming = asyncio.create_task(claim(two, "main", "two", TTL))
        finished, _ = await asyncio.wait({claiming}, timeout=0.8)
        assert not finished
    assert await claiming is None, "the commit has extended the lease that it had checked"
    await asyncio.sleep(0.4)
    assert await claim(two, "main", "two", TTL) == Lease("main", "two", 2)
    assert (await two.snapshot("main")).cells[CELL].acked == Decimal(5)


async def test_a_writer_frozen_in_a_commit_cannot_keep_the_account(
    served, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_limits, "_IDLE_SECONDS", 1)
    one, two = await opened(served[1]), await opened(served[1])
    lease = await claim(one, "main", "one", timedelta(seconds=0.2))
    async with one.engine.connect() as frozen:
        await leases.fence(frozen, lease)
        await frozen.execute(text("UPDATE stocksync_accounts SET failures = 77"))
        await asyncio.sleep(0.2)
        assert await claim(two, "main", "two", TTL) == Lease("main", "two", 2)
        await frozen.invalidate()
    assert (await two.status(["main"]))[0].consecutive_failures == 0


@pytest.mark.parametrize("commit", ["intend", "transaction"])
async def test_a_commit_that_waited_for_the_lease_s_row_until_the_lease_ran_out_is_refused(
    served, opened: Opener, commit: str
) -> None:
    state = await opened(served[1])
    lease = await claim(state, "main", "one", SHORT)
    again = {"intend": _intend, "transaction": _transaction}[commit]
    async with state.engine.connect() as holding:
        await leases.fence(holding, lease)
        committing = asyncio.create_task(again(state, lease))
        await waiting(served, 1)
        await asyncio.sleep(SHORT.total_seconds())
        await holding.rollback()
        with pytest.raises(LeaseLost, match="has run out"):
            await committing


async def _intend(state, lease) -> None:
    await state.intend(lease, "c1", [CHANGE])


async def _transaction(state, lease) -> None:
    async with state.transaction(lease) as transaction:
        await transaction.acknowledge("c1", BatchResult(applied=[CHANGE]))


async def test_no_renewal_waits_for_a_commit_of_its_own_and_a_commit_that_outlasts_its_lease_leaves_one_that_lasts(
    served, opened: Opener
) -> None:
    state = await opened(served[1])
    long, other = await state.claim([["main"], ["other"]], "one", SHORT)
    async with state.transaction(long) as transaction:
        await transaction.acknowledge("c1", BatchResult(applied=[CHANGE]))
        for _ in range(4):
            await asyncio.sleep(SHORT.total_seconds() / 2)
            async with asyncio.timeout(5):
                assert await state.renew([long, other], SHORT) == [long, other]
    assert await state.renew([long, other], SHORT) == [long, other]
    await state.intend(long, "c1", [CHANGE])


async def test_a_group_is_claimed_as_a_whole_or_not_at_all(served, opened: Opener) -> None:
    one, two = await opened(served[1]), await opened(served[1])
    (first,) = await one.claim([["b"]], "one", TTL)
    claimed = await two.claim([["a", "b", "c"], ["d"]], "two", TTL)
    assert claimed == [Lease("d", "two", 1)], "who knows less of a group than we keeps it from us"
    await one.release(first)
    assert await two.claim([["a", "b", "c"]], "two", TTL) == [
        Lease("a", "two", 1), Lease("b", "two", 2), Lease("c", "two", 1),
    ]  # fmt: skip


async def test_a_frozen_writer_whose_renewal_queues_behind_its_own_commit_is_not_given_the_lease_after_it(
    served, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL limits each wait of a statement by itself: the first in the queue waits once, the others twice."""
    monkeypatch.setattr(lock_limits, "LOCK_SECONDS", 2)
    monkeypatch.setattr(lock_limits, "_IDLE_SECONDS", 3)
    one, two = await opened(served[1]), await opened(served[1])
    lease = await claim(one, "main", "one", TTL)
    async with one.engine.connect() as committing, one.engine.connect() as renewing:
        await leases.fence(committing, lease)
        standby = asyncio.create_task(two._claim(["main"], leases.Claimant("two", TTL)))
        await waiting(served, 1)
        renewal = asyncio.create_task(leases.fence(renewing, lease))
        await waiting(served, 2)
        await committing.execute(text("UPDATE stocksync_accounts SET failures = 77"))
        ended = await asyncio.gather(standby, renewal, return_exceptions=True)
        await asyncio.gather(committing.invalidate(), renewing.invalidate())
    assert isinstance(ended[0], StateUnavailable)
    assert isinstance(ended[1], DBAPIError), "it has the lock, and sleeps on it"


async def test_a_first_claim_is_limited_too_where_there_is_no_row_to_lock(
    postgresql_state_url: str, opened: Opener
) -> None:
    state = await opened(postgresql_state_url)
    async with state.engine.begin() as connection:
        assert await leases.claim(connection, ["new"], leases.Claimant("one", TTL))
        for limit in ("idle_in_transaction_session_timeout", "lock_timeout"):
            assert (await connection.execute(text(f"SHOW {limit}"))).scalar_one() != "0"


async def test_only_the_wait_for_the_lease_is_short_and_not_what_is_done_under_it(
    postgresql_state_url: str, opened: Opener
) -> None:
    state = await opened(postgresql_state_url)
    lease = await claim(state, "main", "one", TTL)
    async with state.engine.connect() as connection:
        own = (await connection.execute(text("SHOW statement_timeout"))).scalar_one()
        await leases.fence(connection, lease)
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar_one() == own


async def waiting(served: tuple[Server, str], count: int) -> None:
    """Wait until so many wait for an account's row."""
    server, url = served
    async with asyncio.timeout(10):
        while int(server.sql(lock_waits(url, "stocksync_accounts"), url.rsplit("/", 1)[1])) < count:  # noqa: ASYNC110  the server sends no event
            await asyncio.sleep(LOCK_WAITS_SECONDS)


def be_impatient(connection, *_) -> None:
    connection.cursor().execute("PRAGMA busy_timeout = 50")


async def test_a_locked_sqlite_is_one_clear_line(sqlite_url: str, opened: Opener) -> None:
    state, other = await opened(sqlite_url), await opened(sqlite_url)
    event.listen(state.engine.sync_engine, "checkout", be_impatient)
    async with writing(other.engine):
        with pytest.raises(StateUnavailable, match=r"cannot be used now: .*database is locked$"):
            await claim(state, "main", "one", TTL)
        assert (await state.snapshot("main")).cells == {}
    assert await claim(state, "main", "one", TTL) is not None


async def test_a_full_disk_loses_nothing_that_was_committed(sqlite_url: str, opened: Opener) -> None:
    state = await opened(sqlite_url)
    lease = await claim(state, "main", "one", TTL)
    await state.acknowledge(lease, "c1", BatchResult(applied=[CHANGE]))
    pages = "SELECT page_count FROM pragma_page_count"
    limited: list[int] = []

    def limit(connection) -> None:
        limited.append(connection.exec_driver_sql(pages).scalar())
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limited[0] + 1}")

    event.listen(state.engine.sync_engine, "begin", limit)
    much = SnapshotUpdate(cells={Cell(number, "MAIN"): (CHANGE.parts, datetime.now(UTC)) for number in range(5000)})
    with pytest.raises(StateUnavailable, match="full"):
        await state.observe(lease, "c2", much)
    event.remove(state.engine.sync_engine, "begin", limit)
    again = await opened(sqlite_url)
    assert list((await again.snapshot("main")).cells) == [CELL]
    await again.observe(lease, "c3", much)


async def test_what_no_retry_can_mend_is_a_state_error(state_url: str, opened: Opener) -> None:
    state = await opened(state_url)
    lease = await claim(state, "main", "one", TTL)
    async with writing(state.engine) as connection:
        await connection.execute(text("ALTER TABLE stocksync_cells RENAME TO elsewhere"))
    try:
        with pytest.raises(StateError, match="the state database refused"):
            await state.intend(lease, "c1", [CHANGE])
    finally:
        async with writing(state.engine) as connection:
            await connection.execute(text("ALTER TABLE elsewhere RENAME TO stocksync_cells"))


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
async def test_a_database_that_does_not_exist_is_one_clear_line(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{server}_state_url").rsplit("/", 1)[0] + "/nowhere"
    with pytest.raises(StateError, match="nowhere"):
        await open_state(url, KEPT)


async def test_two_writers_in_opposite_order_both_succeed(served, opened: Opener) -> None:
    one, two = await opened(served[1]), await opened(served[1])
    claimed = [await claim(state, account, "o", TTL) for state, account in ((one, "a"), (two, "b"))]
    meeting, met = asyncio.Barrier(2), False

    async def cross(state: Database, first: Lease, second: Lease) -> None:
        async def work(connection: AsyncConnection) -> None:
            nonlocal met
            await leases.fence(connection, first)
            if not met:
                await meeting.wait()
                met = True
            await leases.fence(connection, second)

        await state._session.write(work)

    await asyncio.gather(cross(one, *claimed), cross(two, *reversed(claimed)))


HOLDER = """
import asyncio, sys
from datetime import timedelta
from stocksync.state.database import open_state

async def hold():
    state = await open_state(sys.argv[1], timedelta(days=1))
    state.lock()
    print("held", flush=True)
    await asyncio.sleep(60)

asyncio.run(hold())
"""


async def test_one_process_holds_a_sqlite_state_and_its_death_frees_it(sqlite_url: str, opened: Opener) -> None:
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, sqlite_url, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    state = await opened(sqlite_url)
    with pytest.raises(StateInUse, match=f"in use by process {holder.pid};"):
        state.lock()
    holder.kill()
    await holder.wait()
    state.lock()
    state.lock()
    other = await opened(sqlite_url)
    with pytest.raises(StateInUse):
        other.lock()
    state.unlock()
    other.lock()


def test_a_lock_file_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="cannot make the lock file"):
        LockFile(tmp_path / "nowhere" / "state.db.lock").acquire()


async def test_states_on_servers_and_in_memory_need_no_lock_file(postgresql_state_url: str, opened: Opener) -> None:
    for url in (postgresql_state_url, "sqlite://"):
        state = await opened(url)
        state.lock()
        state.unlock()


async def test_a_lease_dated_an_hour_ahead_is_not_believed(state_url: str, opened: Opener) -> None:
    one, two = await opened(state_url), await opened(state_url)
    lease = await claim(one, "main", "one", TTL)
    assert await claim(two, "main", "two", TTL) is None
    async with one.engine.begin() as connection:
        ahead = (await connection.execute(select(database_now()))).scalar_one() + timedelta(hours=1)
        await connection.execute(update(accounts).values(expires_at=ahead))
    assert await claim(two, "main", "two", TTL) == Lease("main", "two", 2)
    with pytest.raises(LeaseLost, match="another writer took over"):
        await renew(one, lease, TTL)
    assert await claim(one, "main", "one", TTL) is None, "the new lease is as long as it should be"
