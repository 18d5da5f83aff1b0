"""The ledger as a feed and as stock at an instant, on every database."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from leasing import claim

from stocksync.core.budget import FULL, Pace
from stocksync.core.model import Change, Removal, SnapshotProduct
from stocksync.core.report import CycleReport, Outcome
from stocksync.errors import BeyondLedger, CursorLost
from stocksync.ports import BatchResult, SnapshotUpdate
from stocksync.state.database import open_state

TTL = timedelta(minutes=5)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request):
    return request.getfixturevalue(f"{request.param}_state_url")


@pytest.fixture
async def state(url):
    opened = await open_state(url, timedelta(days=90))
    yield opened
    await opened.close()


@pytest.fixture
async def write(state):
    lease = await claim(state, "main", "one", TTL)

    async def write_(product, before, after, place="MAIN"):
        figures = (None if before is None else Decimal(before), after if isinstance(after, Removal) else Decimal(after))
        applied = Change(product, place, f"SKU-{product}", *figures, ((3, Decimal(1)),))
        await state.acknowledge(lease, "c1", BatchResult(applied=[applied]))
        await asyncio.sleep(0.002)  # SQLite's clock leaves out what is less than a millisecond
        written = datetime.now(UTC)
        await asyncio.sleep(0.002)  # the next one is written at a later instant
        return written

    write_.lease = lease
    return write_


async def test_a_reader_that_goes_on_behind_its_cursor_sees_each_change_once_in_order(state, write):
    for number in range(5):
        await write(11, number, number + 1)
    seen, after = [], 0
    while rows := await state.changes_after("main", after, 2):
        seen += [row.change.after for row in rows]
        after = rows[-1].id
    assert seen == [Decimal(number) for number in (1, 2, 3, 4, 5)]
    assert await state.changes_after("main", after, 2) == []
    await write(11, 5, 6)
    assert [row.change.after for row in await state.changes_after("main", after, 2)] == [Decimal(6)]
    assert await state.changes_after("other", 0, 2) == []


async def test_a_cursor_whose_row_is_gone_is_said_to_be_lost(state, write):
    await write(11, None, 1)
    (row,) = await state.changes_after("main", 0, 9)
    with pytest.raises(CursorLost, match="read all stock anew"):
        await state.changes_after("main", row.id + 1, 9)
    with pytest.raises(CursorLost):
        await state.changes_after("other", row.id, 9)


async def stock(state, at):
    return {level.product_id: level.quantity for level in await state.levels_at("main", at)}


async def test_stock_at_an_instant_is_what_stood_then(state, write):
    before = datetime.now(UTC)
    await asyncio.sleep(0.002)
    await write(11, None, 5)
    one = await write(12, None, 7)
    await write(11, 5, 4)
    two = await write(12, 7, Removal.DEACTIVATED)
    await write(11, 4, Removal.DELETED)
    three = await write(13, 9, 8)  # of a row that stood there before we wrote it
    assert await stock(state, before) == {13: Decimal(9)}
    assert await stock(state, one) == {11: Decimal(5), 12: Decimal(7), 13: Decimal(9)}
    assert await stock(state, two) == {11: Decimal(4), 12: Removal.DEACTIVATED, 13: Decimal(9)}
    assert await stock(state, three) == await stock(state, None) == {12: Removal.DEACTIVATED, 13: Decimal(8)}
    (level,) = (one_ for one_ in await state.levels_at("main", one) if one_.product_id == 11)
    assert (level.sku, level.place, level.since is not None) == ("SKU-11", "MAIN", True)


async def test_before_the_ledger_begins_nothing_is_made_up(state, write, url):
    written = await write(11, None, 5)
    await claim(state, "claimed", "one", TTL)
    for name, at in (("nowhere", None), ("nowhere", written), ("claimed", None), ("claimed", datetime.now(UTC))):
        with pytest.raises(BeyondLedger, match=f"{name}: no poll has read it to its end yet"):
            await state.levels_at(name, at)
    report = CycleReport("main", "c9", datetime.now(UTC))
    await state.begin(write.lease, report)
    await state.end(write.lease, report)  # deletes what is older than 90 days
    assert await stock(state, written) == {11: Decimal(5)}
    with pytest.raises(BeyondLedger, match="reaches back to"):  # before its first writer came
        await state.levels_at("main", datetime.now(UTC) - timedelta(minutes=1))
    forgetful = await open_state(url, timedelta(0))
    await forgetful.end(write.lease, report)
    await forgetful.close()
    with pytest.raises(BeyondLedger, match="reaches back to"):  # what has changed since then is deleted
        await state.levels_at("main", written)


async def test_the_page_finds_the_newest_changes_the_last_day_and_products_by_any_word(state, write):
    read_at = datetime.now(UTC)
    products = {
        number: SnapshotProduct(f"SKU-{number}", name, tracked=True, page=1, missing=0, gone_at=None)
        for number, name in ((11, "Blue Widget 50%"), (12, "زيت العود"), (13, "blue WIDGET"))
    }
    await state.observe(write.lease, "c1", SnapshotUpdate(products=products))
    for product in (11, 12, 11):
        await write(product, None, 0)
    newest = await state.newest_changes(["main", "other"], 2)
    assert [(row.product_id, row.name, row.before, row.after) for row in newest] == [
        (11, "Blue Widget 50%", None, Decimal(0)), (12, "زيت العود", None, Decimal(0)),
    ]  # fmt: skip
    assert await state.newest_changes(["other"], 9) == []
    for outcome, ended in ((Outcome.DONE, read_at), (Outcome.FAILED, read_at), (Outcome.DONE, None)):
        report = CycleReport("main", f"c-{outcome}-{ended}", read_at, ended_at=ended, outcome=outcome)
        await state.begin(write.lease, report)
    day = await state.last_day("main", datetime.now(UTC))
    assert (len(day.columns), day.polls, day.failed, day.changes) == (96, 2, 1, 3)
    assert sum(column.changes for column in day.columns[-2:]) == 3

    async def found(words):
        return sorted(one.product_id for one in await state.search(["main"], words, 9))

    assert await found("SKU-12") == await found("sku-12 ") == await found("12") == await found("العود") == [12]
    assert await found("widget") == [11, 13]
    assert await found("50%") == [11]
    assert await found("%") == [11]
    assert await found("") == await found("nobody") == await found("_") == []
    assert await state.search(["other"], "widget", 9) == []
    assert await state.budget_row("main") is None
    await state.reserve("main", Pace.of(60), 1)
    assert (await state.budget_row("main")).share == FULL
