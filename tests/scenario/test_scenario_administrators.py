"""What administrators do to a server under a running daemon: it says so, sets nothing aside, and goes on by itself."""

import asyncio
from functools import partial
from typing import Any

import pytest
from scenario_shop import Shop
from servers import Server
from sqlalchemy import event

from stocksync.core.report import Outcome
from stocksync.errors import StateUnavailable
from stocksync.sqlengine import open_engine, writing
from stocksync.state.migrate import migrate

TABLE = (
    "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, location_id VARCHAR(60) NOT NULL, quantity NUMERIC(20, 6),"
    " PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {"product_id": "product_id", "location": "location_id", "quantity": "quantity"}


@pytest.fixture
def opened(open_shop: Any) -> Any:
    """Open a shop of 16 cells whose state stands in the target's database, or beside it."""

    async def open_(url: str, *, shared: bool = False) -> Shop:
        if shared:
            await migrate(url)
        target = {"url": url, "create_table": False, "columns": COLUMNS, "batch_size": 5}
        keep = partial(open_shop, prepare=(TABLE,), target=target, policy={"on_deleted": "keep"})
        shop: Shop = await keep(state=url if shared else "")
        await shop.cycle()
        return shop

    return open_


def _trade(shop: Shop, figure: int) -> None:
    for product in range(1, 5):
        shop.catalogue.stock_take(product, 1, figure + product)


async def _is_well_again(shop: Shop) -> None:
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE, report.error
    assert (await shop.rows(), (await shop.status()).quarantined) == (shop.truth(), 0)


@pytest.mark.parametrize("shared", [False, True], ids=["separate", "shared"])
async def test_short_limits_of_the_database_end_no_cycle(opened: Any, postgresql_url: str, *, shared: bool) -> None:
    shop = await opened(postgresql_url, shared=shared)
    name = postgresql_url.rsplit("/", 1)[1]
    for setting in ("statement_timeout = '2s'", "idle_in_transaction_session_timeout = '2s'", "lock_timeout = '1s'"):
        await shop.sql(f"ALTER DATABASE {name} SET {setting}")
    await shop.sql(f"ALTER DATABASE {name} SET idle_session_timeout = '600ms'")
    for engine in {shop.runtime.state.engine, shop.account.target._engine}:
        await engine.dispose()
    for figure in (100, 200):
        _trade(shop, figure)
        await _is_well_again(shop)
        await asyncio.sleep(1.2)  # the server ends every session that the pool keeps, and none amid a cycle


async def test_sessions_that_mariadb_ends_for_idling_are_replaced(
    opened: Any, mariadb_url: str, mariadb_server: Server
) -> None:
    shop = await opened(mariadb_url, shared=True)
    mariadb_server.sql("SET GLOBAL wait_timeout = 1")
    try:
        for engine in {shop.runtime.state.engine, shop.account.target._engine}:
            await engine.dispose()
        for figure in (100, 200):
            _trade(shop, figure)
            await _is_well_again(shop)
            await asyncio.sleep(1.3)
    finally:
        mariadb_server.sql("SET GLOBAL wait_timeout = DEFAULT")


@pytest.mark.parametrize("shared", [False, True], ids=["separate", "shared"])
async def test_a_database_that_becomes_read_only_is_named_and_written_to_afterwards(
    opened: Any, postgresql_url: str, postgresql_server: Server, *, shared: bool
) -> None:
    shop = await opened(postgresql_url, shared=shared)
    name = postgresql_url.rsplit("/", 1)[1]
    engines = {shop.runtime.state.engine, shop.account.target._engine}
    await shop.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    for engine in engines:
        await engine.dispose()
    _trade(shop, 100)
    for _ in range(2):
        try:
            words = (await shop.cycle()).error
        except StateUnavailable as error:
            words = str(error)
        assert "read-only transaction" in words
    postgresql_server.sql(f"ALTER DATABASE {name} RESET ALL")
    await _is_well_again(shop)


@pytest.mark.parametrize("kill", ["KILL QUERY", "KILL"])
async def test_a_statement_or_a_session_that_mariadb_s_administrator_kills_costs_no_row(
    opened: Any, mariadb_url: str, kill: str
) -> None:
    shop = await opened(mariadb_url)
    engine, killer, killed = shop.account.target._engine, open_engine(mariadb_url, "test"), []
    target = shop.account.target
    write = target.write

    async def kill_then_write(*args: Any, **kwargs: Any) -> Any:
        if not killed:
            killed.append(await _waiting_session_is_killed(engine, killer, kill))
        return await write(*args, **kwargs)

    target.write = kill_then_write  # type: ignore[method-assign]
    _trade(shop, 100)
    report = await shop.cycle()
    assert killed
    assert (report.outcome, (await shop.status()).quarantined) == (Outcome.DONE, 0), report.error
    await _is_well_again(shop)
    await killer.dispose()


async def _waiting_session_is_killed(engine: Any, killer: Any, kill: str) -> bool:
    """Kill the pooled session as an administrator does who looks at the list of processes."""
    async with engine.connect() as connection:
        session = (await connection.exec_driver_sql("SELECT connection_id()")).scalar_one()
        await connection.rollback()
        async with writing(killer) as other:
            await other.exec_driver_sql(f"{kill} {session}")
    return True


async def test_a_target_whose_disk_is_full_fails_the_cycle_and_is_written_once_there_is_room(
    opened: Any, tmp_path: Any
) -> None:
    shop = await opened(f"sqlite:///{tmp_path / 'shop.db'}")
    engine = shop.account.target._engine

    def full(raw: Any, *_: Any) -> None:
        raw.execute("PRAGMA max_page_count = 1").close()

    event.listen(engine.sync_engine, "checkout", full)
    for number in range(400):
        shop.catalogue.create(f"N-{number}", stock={1: number + 1})
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "disk is full" in report.error
    event.remove(engine.sync_engine, "checkout", full)
    event.listen(engine.sync_engine, "checkout", lambda raw, *_: raw.execute("PRAGMA max_page_count = 99999").close())
    await _is_well_again(shop)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_table_that_was_replaced_under_the_daemon_is_put_right_by_a_full_comparison(
    opened: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    """As an online schema change does it: another table bears the name, with the rows of an hour ago."""
    shop = await opened(request.getfixturevalue(f"{kind}_url"))
    await shop.sql("CREATE TABLE fresh AS SELECT * FROM stock_levels WHERE product_id <> 3")
    await shop.sql("ALTER TABLE stock_levels RENAME TO old")
    await shop.sql("ALTER TABLE fresh RENAME TO stock_levels")
    _trade(shop, 100)
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied) == (Outcome.DONE, 4), report.error
    assert (await shop.audit()).cells == {"missing_in_target": 1}
    await shop.cycle(full=True)
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_table_that_was_truncated_or_halved_is_told_by_the_audit_and_healed_by_a_person(
    opened: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    shop = await opened(request.getfixturevalue(f"{kind}_url"))
    shop.catalogue.create("P-09", stock={1: 9, 3: 8})
    shop.catalogue.create("P-10", stock={1: 9, 3: 8})
    await shop.cycle()
    await shop.sql("DELETE FROM stock_levels WHERE product_id <= 5")
    assert (await shop.audit()).lost == 10
    await shop.sql("TRUNCATE TABLE stock_levels")
    _trade(shop, 100)
    assert (await shop.cycle()).counts.applied == 4
    assert (await shop.audit(heal=True)).healed == 16
    assert await shop.rows() == shop.truth()
