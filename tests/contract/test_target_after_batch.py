"""The user's own statement at the end of a batch: in its transaction, and nobody's fault but its own."""

from collections.abc import AsyncIterator
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.core.model import Change
from stocksync.errors import ConfigurationError, LeaseLost, RowsRefused, TargetUnavailable
from stocksync.ports import Target
from stocksync.sqlengine import open_engine, writing
from stocksync.targets import Columns, Statements, TargetSettings, open_target

OUTBOX = "INSERT INTO outbox (account, cycle, applied) VALUES (:account, :cycle_id, :applied)"
OWN = Statements(
    "UPDATE stock SET qty = :quantity WHERE id = :product_id", "SELECT qty FROM stock WHERE id = :product_id"
)


async def agree() -> None:
    return


async def refuse() -> None:
    raise LeaseLost("another writer took over")


@pytest.fixture
async def engine(target_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_url, "test")
    async with writing(made) as connection:
        for statement in (
            "CREATE TABLE stock (id INTEGER PRIMARY KEY, qty INTEGER CHECK (qty < 1000))",
            "CREATE TABLE outbox (account TEXT, cycle VARCHAR(40) NOT NULL, applied INTEGER CHECK (applied < 9))",
            "INSERT INTO stock VALUES (1, 5), (2, 6)",
        ):
            await connection.execute(text(statement))
    yield made
    await made.dispose()


@pytest.fixture(params=["table", "statements"])
def open_with(request: pytest.FixtureRequest, engine: AsyncEngine) -> Any:
    def made(after_batch: str) -> Target:
        own = OWN if request.param == "statements" else None
        settings = TargetSettings("main", "stock", Columns("qty", "id"), statements=own, after_batch=after_batch)
        return open_target(settings, engine, owned=False)

    return made


def change(product: int, after: int) -> Change:
    return Change(product, "", "A", D(1), D(after), ())


async def all_of(engine: AsyncEngine, table: str) -> list[tuple[Any, ...]]:
    async with writing(engine) as connection:
        return [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]


async def test_it_runs_once_a_batch_in_the_batchs_own_transaction(open_with: Any, engine: AsyncEngine) -> None:
    target = open_with(OUTBOX + ";")
    assert await target.rehearse([change(1, 7)]) == []
    assert (await all_of(engine, "outbox"), await all_of(engine, "stock")) == ([], [(1, 5), (2, 6)])
    await target.write([change(1, 7), change(2, 8)], agree, cycle_id="c-1")
    assert await all_of(engine, "outbox") == [("main", "c-1", 2)]
    with pytest.raises(LeaseLost):
        await target.write([change(1, 9)], refuse, cycle_id="c-2")
    await target.write([], agree, cycle_id="c-3")
    with pytest.raises(RowsRefused):
        await target.write([change(1, 5000)], agree, cycle_id="c-4")
    assert await all_of(engine, "outbox") == [("main", "c-1", 2)]


async def test_it_joins_the_states_transaction_and_goes_with_it(open_with: Any, engine: AsyncEngine) -> None:
    target = open_with(OUTBOX)

    async def write_and_lose() -> None:
        async with writing(engine) as connection:
            await target.write([change(1, 7)], agree, SimpleNamespace(connection=connection), cycle_id="c-1")
            assert list(await connection.execute(text("SELECT applied FROM outbox"))) == [(1,)]
            await refuse()

    with pytest.raises(LeaseLost):
        await write_and_lose()
    assert (await all_of(engine, "outbox"), await all_of(engine, "stock")) == ([], [(1, 5), (2, 6)])


WRONG = {
    "INSERT INTO nowhere VALUES (:applied)": "nowhere",
    "INSERT INTO outbox (account) VALUES (:account)": "cycle",
    "INSERT INTO outbox VALUES (:account, :cycle_id, :applied + 9)": "constraint",
    "SELEC 1": "syntax",
    "UPDATE stock SET qty = qty + 1": "changes rows",
}


async def test_what_goes_wrong_in_it_is_the_targets_and_no_rows(open_with: Any, engine: AsyncEngine) -> None:
    for statement, words in WRONG.items():
        target = open_with(statement)
        for batch in ([change(1, 7)], [change(1, 7), change(2, 8)]):
            with pytest.raises(TargetUnavailable, match=f"target.after_batch: the statement .*(?i:{words})"):
                await target.write(batch, agree, cycle_id="c-1")
        trial = (await target.rehearse([change(1, 7)]))[-1]
        assert trial.blocks
        assert "`after_batch`" in trial.what
        assert words in trial.what.lower()
        assert "correct accounts.main.target.after_batch" in trial.todo
    assert (await all_of(engine, "outbox"), await all_of(engine, "stock")) == ([], [(1, 5), (2, 6)])


def test_a_name_that_is_not_bound_is_told_before_anything_is_connected() -> None:
    settings = TargetSettings("main", after_batch="SELECT :acount")
    with pytest.raises(ConfigurationError, match=r"after_batch: :acount is not bound, did you mean :account\?"):
        open_target(settings, open_engine("sqlite://", "test"))


async def test_postgresql_notifies_at_the_commit(target_postgresql_url: str) -> None:
    heard: list[str] = []
    engine = open_engine(target_postgresql_url, "test")
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE stock (id INTEGER PRIMARY KEY, qty INTEGER)"))
    settings = TargetSettings(
        "main", "stock", Columns("qty", "id"),
        after_batch="SELECT pg_notify('stock', :account || ' ' || :applied::text || ' ' || :cycle_id)",
    )  # fmt: skip
    async with engine.connect() as listening:
        driver: Any = (await listening.get_raw_connection()).driver_connection
        await driver.add_listener("stock", lambda *said: heard.append(said[-1]))
        target = open_target(settings, engine, owned=False)
        await target.rehearse([change(1, 7)])
        await target.write([change(1, 7)], agree, cycle_id="c-1")
        await driver.execute("SELECT 1")
    await engine.dispose()
    assert heard == ["main 1 c-1"]
