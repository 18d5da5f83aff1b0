"""What a target and a state do when their database answers nothing at all: a frozen server, a dead route."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from leasing import claim
from servers import Server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.core.model import Change, RowLocator
from stocksync.errors import StateUnavailable, TargetUnavailable
from stocksync.ports import BatchResult, Target
from stocksync.sqlengine import close_engine, open_engine, writing
from stocksync.state.database import open_state
from stocksync.targets import Columns, Statements, TargetSettings, Timeouts, open_target

IMPATIENT = Timeouts(total=timedelta(seconds=0.3))
BATCH = [Change(number, "", "A", D(1), D(10), ()) for number in (1, 2)]
REFS = [RowLocator(1, "A", ""), RowLocator(2, "B", "")]
OWN = Statements(
    "UPDATE stock SET quantity = :quantity WHERE product_id = :product_id",
    "SELECT quantity FROM stock WHERE product_id = :product_id",
)
SOON = 20.0
"""Seconds within which a hung call must be over, the letting go of its connection included."""


async def agree() -> None:
    return


@pytest.fixture(params=["postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Any:
    found: Server = request.getfixturevalue(f"{kind}_server")
    yield found
    found.thaw()


@pytest.fixture
async def engine(kind: str, server: Server, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    made = open_engine(request.getfixturevalue(f"target_{kind}_url"), "test")
    async with writing(made) as connection:
        await connection.execute(text("CREATE TABLE stock (product_id BIGINT PRIMARY KEY, quantity NUMERIC(20, 4))"))
        await connection.execute(text("INSERT INTO stock VALUES (1, 1), (2, 1)"))
    yield made
    server.thaw()
    await made.dispose()


@pytest.fixture(params=["mapped", "statements"])
def target(request: pytest.FixtureRequest, engine: AsyncEngine) -> Target:
    own = OWN if request.param == "statements" else None
    columns = Columns("quantity", "product_id")
    return open_target(
        TargetSettings("main", "stock", columns, patience=IMPATIENT, statements=own), engine, owned=False
    )


async def fails_soon(call: Any) -> None:
    began = time.monotonic()
    with pytest.raises(TargetUnavailable, match="does not answer: our patience"):
        await call
    assert time.monotonic() - began < SOON


async def test_no_call_waits_for_ever_for_a_frozen_server(target: Target, server: Server) -> None:
    await target.inspect()
    server.freeze()
    await fails_soon(target.read(REFS))
    await fails_soon(target.write(BATCH, agree))
    await fails_soon(target.inspect())
    server.thaw()
    assert (await target.write(BATCH, agree)).applied == BATCH


async def test_a_scan_does_not_wait_for_ever_for_its_next_page(engine: AsyncEngine, server: Server) -> None:
    settings = TargetSettings("main", "stock", Columns("quantity", "product_id"), patience=IMPATIENT)
    pages = open_target(settings, engine, owned=False).scan(1)
    assert len(await anext(pages)) == 1
    server.freeze()
    await fails_soon(anext(pages))


async def test_a_server_that_freezes_amid_a_batch_leaves_nothing_of_it(target: Target, server: Server) -> None:
    """The fence hangs too, where state and target stand on one server: the time runs out between two statements."""
    await target.inspect()

    async def freeze() -> None:
        server.freeze()
        await asyncio.sleep(60)

    await fails_soon(target.write(BATCH, freeze))
    server.thaw()
    assert {live.quantity for live in (await target.read(REFS)).values()} == {D(1)}
    assert (await target.write(BATCH, agree)).applied == BATCH


async def test_a_large_statement_that_the_network_no_longer_takes_is_given_up(
    engine: AsyncEngine, server: Server
) -> None:
    async def send() -> None:
        async with asyncio.timeout(1), writing(engine) as connection:
            await connection.execute(text("SELECT 1"))
            server.freeze()
            await connection.execute(text("SELECT :large"), {"large": "x" * 12_000_000})

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await send()
    assert time.monotonic() - began < SOON
    server.stop()  # what is still to be sent to it ends here
    server.start()
    async with writing(engine) as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_idle_connections_to_a_frozen_server_are_given_up_at_the_end(
    engine: AsyncEngine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stocksync.sqlengine._FAREWELL_SECONDS", 0.3)
    server.freeze()
    began = time.monotonic()
    await close_engine(engine)
    assert time.monotonic() - began < SOON


async def test_a_shared_transaction_is_over_when_the_server_freezes_in_it(
    kind: str, server: Server, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_state_url")
    state = await open_state(url, timedelta(days=1), patience=0.5)
    lease = await claim(state, "main", "one", timedelta(minutes=5))
    assert lease is not None

    async def freeze_within() -> None:
        async with state.transaction(lease) as transaction:
            server.freeze()
            await transaction.acknowledge("c1", BatchResult(applied=BATCH))

    began = time.monotonic()
    with pytest.raises(StateUnavailable, match="it does not answer"):
        await freeze_within()
    assert time.monotonic() - began < SOON
    server.thaw()
    assert (await state.snapshot("main")).cells == {}
    await state.close()
