"""Request budgets in the state: every database calculates what core/budget.py says, and shares it with all."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from servers import Server
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.app.wiring import SystemClock
from stocksync.core import budget as expected
from stocksync.core.allowance import Allowance
from stocksync.core.budget import FULL, SECOND, BudgetRow, Pace, Reservation
from stocksync.errors import AskedTooOften, StateUnavailable
from stocksync.run.lookup_share import LookupShare
from stocksync.sqlengine import open_engine, writing
from stocksync.state import budgets as statements
from stocksync.state import database
from stocksync.state.database import open_state
from stocksync.state.migrate import migrate
from stocksync.state.schema import budgets
from stocksync.state.session import Session

PACE = Pace.of(180)


async def test_what_one_process_reserves_no_other_gets(another_state) -> None:
    one, two = await another_state(), await another_state()
    first = await one.reserve("main", PACE, 20)
    second = await two.reserve("main", PACE, 3)
    assert second.first == first.first + 20 * PACE.interval
    assert (second.spacing, second.size) == (PACE.interval, 3)
    assert (await two.reserve("other", PACE, 1)).first < first.first + 20 * PACE.interval


async def test_who_reserves_at_once_gets_slots_of_its_own(another_state) -> None:
    states = [await another_state() for _ in range(4)]
    await states[0].reserve("main", PACE, 30)
    got = await asyncio.gather(*(state.reserve("main", PACE, 2) for state in states for _ in range(3)))
    slots = sorted(reserved.first + n * reserved.spacing for reserved in got for n in range(reserved.size))
    assert {later - slot for slot, later in pairwise(slots)} == {PACE.interval}


async def test_the_first_who_reserve_at_once_get_slots_of_their_own(another_state) -> None:
    states = [await another_state() for _ in range(4)]
    got = await asyncio.gather(*(state.reserve("new", PACE, 1) for state in states))
    slots = sorted(reserved.first for reserved in got)
    assert all(later - slot >= PACE.interval for slot, later in pairwise(slots))


async def test_look_ups_of_any_number_of_processes_have_one_share_and_who_is_refused_spends_nothing(
    another_state,
) -> None:
    clock, longest = SystemClock(), 1.0
    began = clock.monotonic()
    shares = [LookupShare(Allowance.of(180), clock, await another_state(), "main look-ups") for _ in range(3)]
    asked = [share.turn(longest) for share in shares for _ in range(9)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    went = told.count(None)
    refused = [one for one in told if isinstance(one, AskedTooOften)]
    # Ten were saved up, and one a second is their pace; each of the three alone would have let nine go at once.
    assert 10 <= went <= 12 + longest + clock.monotonic() - began, told
    assert len(refused) == 27 - went
    (wait,) = (await shares[0].shared.reserve("main look-ups", shares[0].allowance.pace, 1)).slots()
    assert wait <= (longest + 1) * SECOND, "the refused ones have moved nobody back"


async def test_an_idle_budget_lets_requests_go_at_once(state) -> None:
    reserved = await state.reserve("main", PACE, 9)
    assert max(reserved.slots()) == 0


async def test_a_429_forbids_requests_to_every_process(another_state) -> None:
    one, two = await another_state(), await another_state()
    await one.reserve("main", PACE, 1)
    await one.forbid("main", 30)
    await two.forbid("main", 10)
    reserved = await two.reserve("main", PACE, 2)
    assert 25 * SECOND < min(reserved.slots()) <= 30 * SECOND
    assert reserved.spacing == 2 * PACE.interval, "the pace is halved once, however many met the 429"


async def test_a_429_may_be_the_first_that_a_budget_hears_of(state) -> None:
    await state.forbid("main", 30)
    reserved = await state.reserve("main", PACE, 1)
    assert 25 * SECOND < min(reserved.slots()) <= 30 * SECOND


async def _stored(state) -> BudgetRow:
    if hasattr(state, "store"):
        return state.store.budgets["main"]
    columns = budgets.c.next_at, budgets.c.forbidden_until, budgets.c.share, budgets.c.seen_at
    async with writing(state.engine) as connection:
        return BudgetRow(*(await connection.execute(budgets.select().with_only_columns(*columns))).one())


async def _store(state, row: BudgetRow) -> None:
    if hasattr(state, "store"):
        state.store.budgets["main"] = row
        return
    async with writing(state.engine) as connection:
        await connection.execute(update(budgets).values(row._asdict()))


@pytest.mark.parametrize("seed", range(3))
async def test_every_database_calculates_as_the_core_does(state, seed: int) -> None:
    random = Random(seed)
    now = (await state.reserve("main", PACE, 1)).now
    for _ in range(12):
        moment = [now + random.randint(-90, 90) * SECOND for _ in range(3)]
        row = BudgetRow(moment[0], moment[1], random.choice([FULL, 62_500, random.randint(62_500, FULL)]), moment[2])
        await _store(state, row)
        pace, count = Pace.of(random.choice([1, 60, 300])), random.randint(1, 9)
        reserved = await state.reserve("main", pace, count)
        assert (await _stored(state), reserved) == expected.reserve(row, reserved.now, pace, count)
        await _store(state, row)
        await state.forbid("main", 7.5)
        stored = await _stored(state)
        assert stored == expected.forbid(row, stored.seen_at, 7_500_000)
        now = reserved.now


async def test_a_reservation_that_was_given_up_is_not_made_later(
    postgresql_state_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    state = await open_state(postgresql_state_url, timedelta(days=90))
    try:
        await state.reserve("main", PACE, 1)
        before = await _stored(state)
        async with writing(state.engine) as other:
            await other.execute(update(budgets).values(share=budgets.c.share))
            with pytest.raises(StateUnavailable):
                await state.reserve("main", PACE, 1)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%budgets%'"
            assert (await other.exec_driver_sql(waiting)).scalar_one() == 0
        assert await _stored(state) == before
    finally:
        await state.close()


async def test_behind_a_pooler_all_of_this_works_too(pgbouncer_server: Server) -> None:
    url = pgbouncer_server.new_database()
    await migrate(url)
    states = [await open_state(url, timedelta(days=90)) for _ in range(3)]
    try:
        both = [(state.reserve("main", PACE, 1), state.catalogue("main")) for state in states for _ in range(20)]
        got = await asyncio.gather(*(asked for pair in both for asked in pair))
        assert len({reserved.first for reserved in got[::2]}) == len(both)
    finally:
        for state in states:
            await state.close()
        pgbouncer_server.drop_database(url)


async def test_a_process_that_is_frozen_after_it_reserved_holds_nobody_up(postgresql_state_url: str) -> None:
    engine = open_engine(postgresql_state_url, "")
    session = Session(engine, bounded=True)

    async def as_frozen(connection: AsyncConnection) -> Reservation:
        first = await statements.reserve(connection, "main", PACE, 1)
        async with asyncio.timeout(5):
            next_one = await session.write_one(lambda other: statements.reserve(other, "main", PACE, 1))
        assert next_one.first > first.first, "the row is free as soon as the statement has ended"
        return first

    try:
        await session.write_one(as_frozen)
    finally:
        await engine.dispose()
