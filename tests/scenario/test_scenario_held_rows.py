"""A row that somebody else's transaction holds waits its turn, and only that row; every real server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal as D
from functools import partial
from typing import Any

import pytest
from scenario_shop import Shop, small_catalogue
from servers import LOCK_WAITS_SECONDS, PgBouncer, PostgreSQL, Server, lock_waits
from sqlalchemy import text

from stocksync.app import wiring
from stocksync.core.report import Outcome
from stocksync.run import writer
from stocksync.sqlengine import open_engine
from stocksync.state.migrate import migrate
from stocksync.targets import TargetSettings, Timeouts

TABLE = (
    "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, location_id VARCHAR(60) NOT NULL, quantity NUMERIC(20, 6),"
    " PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {"product_id": "product_id", "location": "location_id", "quantity": "quantity"}
WHERE = "WHERE product_id = :product_id AND location_id = :location"
OWN = {
    "write": f"UPDATE stock_levels SET quantity = :quantity {WHERE}",
    "read": f"SELECT quantity FROM stock_levels {WHERE}",
}
HELD = "SELECT quantity FROM stock_levels WHERE product_id = 7 AND location_id = '1' FOR UPDATE"
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for others' locks as briefly as a MariaDB can."""
    hasty_one = Timeouts(brief=timedelta(seconds=0.2), lock=SECOND)
    monkeypatch.setattr(wiring, "TargetSettings", partial(TargetSettings, patience=hasty_one))
    monkeypatch.setattr(writer, "_QUEUE_SECONDS", 0.1)


@pytest.fixture
def refusing(open_shop: Any) -> Any:
    """Open a shop whose table has no column that says whether a row is active."""
    return partial(open_shop, policy={"on_deleted": "keep"})


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture(params=[False, True], ids=["separate", "shared"])
async def state(request: pytest.FixtureRequest, url: str) -> str:
    if request.param:
        await migrate(url)
    return url if request.param else ""


def _filled(products: int) -> tuple[str, str]:
    rows = ", ".join(f"({number}, '{place}', 0)" for number in range(1, products + 1) for place in (1, 3))
    return TABLE, f"INSERT INTO stock_levels VALUES {rows}"


def _target(url: str, *, own: bool = False, **more: Any) -> dict[str, Any]:
    if own:
        return {"url": url, "statements": OWN, "create_table": None, "batch_size": 10}
    return {"url": url, "create_table": False, "columns": COLUMNS, "batch_size": 10, **more}


@asynccontextmanager
async def held(url: str, *statements: str) -> AsyncIterator[None]:
    """Idle in a transaction, as a client does that was left open over lunch."""
    engine = open_engine(url, "")
    async with engine.connect() as other:
        for statement in statements:
            await other.execute(text(statement))
        yield
        await other.rollback()
    await engine.dispose()


@pytest.mark.parametrize("own", [False, True], ids=["mapped", "own"])
async def test_one_locked_row_waits_and_says_for_whom_and_all_others_are_written(
    refusing: Any, url: str, state: str, *, own: bool, logs: Any
) -> None:
    policy = {"on_deleted": "keep"}
    shop: Shop = await refusing(15, prepare=_filled(15), target=_target(url, own=own), state=state, policy=policy)
    async with held(url, HELD):
        report = await shop.cycle()
        assert (report.outcome, report.error) == (Outcome.DONE, "")
        assert (report.counts.applied, report.counts.quarantined, report.counts.unpushed) == (29, 1, 0)
        assert report.refusal.startswith("1 cell waits: "), report.refusal
        assert "waits for session" in report.refusal
        assert not report.unwell
        others = {key: figure for key, figure in shop.truth().items() if key != (7, "1")}
        assert await shop.rows() == {**others, (7, "1"): "0"}
        (entry,) = (await shop.status()).quarantine
        assert (entry.product_id, entry.place, entry.side) == (7, "1", "waiting")
        assert "waits for session" in entry.reason
        assert "idle in transaction" in entry.reason
        (named,) = [line for line in logs if line["event"] == "rows_held_by_others"]
        assert "waits for session" in named["examples"][0]
    report = await shop.cycle()
    assert (report.counts.applied, report.counts.quarantined) == (1, 0)
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).quarantined == 0


async def test_a_locked_row_that_does_not_change_is_in_nobody_s_way(refusing: Any, url: str, state: str) -> None:
    """It lies in the cross product of the ids and places that change."""
    shop: Shop = await refusing(30, prepare=_filled(30), target=_target(url, batch_size=100), state=state)
    await shop.cycle()
    for product in range(1, 31):
        shop.catalogue.stock_take(product, 3 if product == 7 else 1, D(product))
    async with held(url, HELD):
        report = await shop.cycle()
        assert (report.counts.applied, report.counts.quarantined) == (30, 0)
    assert await shop.rows() == shop.truth()


async def test_a_row_that_is_free_again_while_the_others_are_written_is_written_in_the_same_cycle(
    refusing: Any, url: str
) -> None:
    shop: Shop = await refusing(15, prepare=_filled(15), target=_target(url))
    target = shop.account.target
    write = target.write
    freed = asyncio.Event()

    async def free_then_write(*args: Any, patient: bool = False, **kwargs: Any) -> Any:
        if patient:
            freed.set()
        return await write(*args, patient=patient, **kwargs)

    target.write = free_then_write  # type: ignore[method-assign]
    async with held(url, HELD):
        cycle = asyncio.create_task(shop.cycle())
        await freed.wait()
    assert (await cycle).counts.applied == 30
    assert await shop.rows() == shop.truth()


@pytest.mark.usefixtures("one_portion")
async def test_a_table_that_somebody_holds_whole_fails_the_cycle_and_sets_no_row_aside(
    refusing: Any, url: str, state: str
) -> None:
    shop: Shop = await refusing(15, prepare=_filled(15), target=_target(url), state=state)
    everything = "SELECT quantity FROM stock_levels FOR UPDATE"
    async with held(url, everything):
        report = await shop.cycle()
        assert report.outcome is Outcome.FAILED
        assert "30 rows cannot be written now: waits for session" in report.error
        assert ((await shop.status()).quarantined, report.counts.unpushed) == (0, 30)
    assert (await shop.cycle()).counts.applied == 30


async def test_a_deadlock_is_tried_again_at_once(
    refusing: Any, url: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours holds product 1 and wants 2; theirs holds 2 and wants 1. Ours is sent away: it has changed least."""
    patient = Timeouts(brief=timedelta(seconds=5))
    monkeypatch.setattr(wiring, "TargetSettings", partial(TargetSettings, patience=patient))
    target = _target(url, own=True)
    shop: Shop = await refusing(small_catalogue(2, (1,)), prepare=_filled(2), target=target, state=state)
    if url.startswith("postgresql"):
        await shop.sql(f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET deadlock_timeout = '600ms'")
        await shop.restart()
    with shop.counting() as counted:
        await _meet_a_deadlock(shop, url)
    assert len([one for one in counted.writes if "UPDATE stock_levels" in one]) > 2
    assert await shop.rows() == {(1, "1"): "11", (2, "1"): "21", (1, "3"): "0", (2, "3"): "0"}


async def _meet_a_deadlock(shop: Shop, url: str) -> None:
    engine = open_engine(url, "")
    async with engine.connect() as other:
        if url.startswith("postgresql"):
            await other.execute(text("SET deadlock_timeout = '20s'"))
        await other.execute(text("UPDATE stock_levels SET quantity = 8 WHERE product_id = 2"))
        await other.execute(text("INSERT INTO stock_levels VALUES (90, 'x', 1), (91, 'x', 1), (92, 'x', 1)"))
        cycle = asyncio.create_task(shop.cycle())
        while not (await shop.sql(lock_waits(url, "stock_levels")))[0][0]:  # noqa: ASYNC110  the server sends no event
            await asyncio.sleep(LOCK_WAITS_SECONDS)
        await other.execute(text("UPDATE stock_levels SET quantity = 8 WHERE product_id = 1"))
        await other.rollback()
    report = await cycle
    await engine.dispose()
    assert (report.outcome, report.counts.applied) == (Outcome.DONE, 2), report.error


@pytest.fixture
def one_session_url(postgresql_server: Server) -> Iterator[str]:
    """Give a database behind a pooler that has one session for all: a second connection would wait for the first."""
    assert isinstance(postgresql_server, PostgreSQL)
    pooler = PgBouncer(postgresql_server, sessions=1)
    pooler.start()
    url = pooler.new_database()
    yield url
    pooler.drop_database(url)
    pooler.close()


async def test_one_session_is_enough_where_state_and_target_are_one_database(
    open_shop: Any, one_session_url: str, postgresql_server: Server
) -> None:
    await migrate(one_session_url)
    shop: Shop = await open_shop(4, target={"url": one_session_url}, state=one_session_url)
    assert shop.account.shared
    async with asyncio.timeout(20):
        assert (await shop.cycle()).counts.applied == 8
        await shop.restart()
        shop.account.target._known = None
        shop.catalogue.stock_take(1, 1, D(5))
        assert (await shop.cycle()).counts.applied == 1
        shop.catalogue.stock_take(1, 1, D(6))
        shop.catalogue.stock_take(2, 1, D(6))
        direct = postgresql_server.url(one_session_url.rsplit("/", 1)[1])
        async with held(direct, "SELECT quantity FROM stock_levels WHERE product_id = 1 FOR UPDATE"):
            report = await shop.cycle()
            assert (report.counts.applied, report.counts.quarantined) == (1, 1)
        assert (await shop.cycle()).counts.applied == 1
    assert await shop.rows() == shop.truth()
