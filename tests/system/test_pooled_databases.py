"""Behind PgBouncer in transaction mode, where no client may count on the next transaction's session."""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from servers import PgBouncer, Server
from system_shop import sql, until

from stocksync.sqlengine import open_engine, reading

LEFT = """
SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''),
       (SELECT count(*) FROM pg_settings WHERE name LIKE '%\\_timeout' AND setting <> reset_val), pg_sleep(0.3)
"""


async def nothing_left_behind(url: str) -> None:
    """Look into both sessions that all clients have had, at once."""
    both = await asyncio.gather(sql(url, LEFT), sql(url, LEFT))
    assert len({pid for rows in both for pid, *_ in rows}) == 2
    for ((_, statements, settings, _),) in both:
        assert statements == 0
        assert settings == 0, "a setting outlived its transaction"


@pytest.mark.parametrize("target", ["pgbouncer", "shared"])
async def test_state_and_target_behind_pgbouncer_in_transaction_mode(
    open_shop: Callable[..., Any], target: str
) -> None:
    shop = await open_shop("pgbouncer", target, products=5)
    check = await shop.command("check", "--json")
    assert check.code == 0, check.out
    for figure in (70, 71, 72):
        shop.set(2, 3, figure)
        once = await shop.command("once", "--json")
        assert (once.code, json.loads(once.out)[0]["outcome"]) == (0, "done"), once.out + once.err
        assert await shop.equal()
    await nothing_left_behind(shop.target)
    await nothing_left_behind(shop.state)


async def test_a_daemon_and_people_share_one_session_of_the_pooler(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop("pgbouncer", "pgbouncer", products=5)
    shop.state, shop.target = f"{shop.state}?pgbouncer=true", f"{shop.target}?pgbouncer=true&application_name=shop"
    daemon = await shop.run()
    await until(shop.equal_if_made, "the target equals Qoyod")
    shop.set(2, 3, 70)
    status, drift = await asyncio.gather(shop.command("status"), shop.command("drift"))
    assert (status.code, drift.code) == (0, 0), status.err + drift.err
    await until(shop.equal, "the change arrives")
    assert await daemon.end(signal.SIGTERM) == 0
    assert not [line for line in daemon.lines if line.get("level") in {"warning", "error"}]


async def test_types_of_the_table_s_own_are_learned_behind_the_pooler(
    open_shop: Callable[..., Any],
) -> None:
    """An enum and a UUID make the driver ask the server about types, between preparing and executing."""
    settings = {"target": {"columns": {"sku": "sku", "location": "place", "quantity": "on_hand"}, "match_by": "sku"}}
    settings["target"]["create_table"] = False
    settings["target"]["table"] = "shop.stock"
    place = "00000000-0000-4000-8000-00000000000"
    settings["locations"] = {"map": {str(number): f"{place}{number}" for number in (1, 3)}}
    settings["policy"] = {"on_deleted": "keep"}
    shop = await open_shop("pgbouncer", "pgbouncer", products=3, settings=settings)
    await sql(shop.target, "CREATE SCHEMA shop")
    await sql(shop.target, "CREATE TABLE shop.stock (sku text, place uuid, on_hand int, PRIMARY KEY (sku, place))")
    for _ in range(2):
        once = await shop.command("once")
        assert once.code == 0, once.out + once.err
    assert await sql(shop.target, "SELECT count(*), sum(on_hand) FROM shop.stock") == [(6, 132)]


@pytest.fixture
def statement_pooler(postgresql_server: Server) -> Any:
    pooler = PgBouncer(postgresql_server, "statement")  # type: ignore[arg-type]
    pooler.start()
    yield pooler
    pooler.close()


async def test_a_pooler_that_allows_no_transaction_is_named_with_its_cure(
    open_shop: Callable[..., Any], statement_pooler: Server, postgresql_url: str
) -> None:
    shop = await open_shop()
    shop.target = statement_pooler.url(postgresql_url.rsplit("/", 1)[1])
    check = await shop.command("check")
    assert check.code == 1
    assert "the pooler must be in transaction or session mode" in " ".join(check.out.split())


async def test_a_startup_parameter_that_the_pooler_refuses_is_named(pgbouncer_server: Server) -> None:
    name = pgbouncer_server.new_database()
    engine = open_engine(f"{name}?options=-csearch_path%3Dshop", "x")
    with pytest.raises(Exception, match="unsupported startup parameter: options"):
        async with reading(engine):
            pass
    await engine.dispose()
    pgbouncer_server.drop_database(name)
