"""One clear line for each thing that can be wrong, and recovery without a hand once the cause is gone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from scenario_shop import Shop
from servers import Server

from stocksync.core.model import Verdict
from stocksync.core.report import CycleReport, Outcome

Deed = Callable[[Shop], Awaitable[None]]


async def _fails_then_recovers(
    shop: Shop, spoil: Deed, mend: Deed, *, outcome: Outcome = Outcome.FAILED, requests: int | None = None
) -> CycleReport:
    """Let a change wait, spoil something, see it fail twice in one line and write nothing, mend it, see it flow."""
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 500)
    await spoil(shop)
    for _ in range(2):
        shop.simulator.requests.clear()
        report = await shop.cycle()
        assert report.outcome is outcome
        assert report.error
        assert "\n" not in report.error
        if requests is not None:
            assert len(shop.simulator.requests) <= requests
    status = await shop.status()
    assert status.consecutive_failures == 2
    assert status.cycles[0].error == report.error
    await mend(shop)
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).consecutive_failures == 0
    return report


def _fault(text: str) -> tuple[Deed, Deed]:
    async def spoil(shop: Shop) -> None:
        shop.simulator.faults.add(text)

    async def mend(shop: Shop) -> None:
        shop.simulator.faults.clear()

    return spoil, mend


async def test_a_wrong_credential(shop: Shop) -> None:
    report = await _fails_then_recovers(shop, *_fault("auth=revoke"), outcome=Outcome.UNAUTHORIZED, requests=1)
    assert "401" in report.error
    assert "credential" in report.error


async def test_a_challenge_on_one_page_costs_that_page_alone(shop: Shop) -> None:
    await shop.cycle()
    for product in (1, 6):
        shop.catalogue.stock_take(product, 1, 500)
    shop.simulator.faults.add("page-2=challenge")
    report = await shop.cycle()
    assert (report.outcome, report.verdict) == (Outcome.DONE, Verdict.PARTIAL)
    assert "403" in " ".join(report.reasons)
    assert (await shop.rows())[1, "1"] == "500"
    assert (await shop.rows())[6, "1"] != "500"
    shop.simulator.faults.clear()
    assert (await shop.cycle()).verdict is Verdict.COMPLETE
    assert await shop.rows() == shop.truth()


async def test_a_key_without_permission(shop: Shop) -> None:
    report = await _fails_then_recovers(shop, *_fault("all=403"), outcome=Outcome.UNAUTHORIZED, requests=1)
    assert "403" in report.error
    assert "permissions" in report.error


async def test_a_redirect_is_named_and_never_followed(shop: Shop) -> None:
    report = await _fails_then_recovers(shop, *_fault("all=redirect"), requests=1)
    assert "base_url" in report.error
    assert "/moved" in report.error
    assert shop.asked("/moved") == []


async def test_a_wrong_path_is_an_error_and_never_an_empty_catalogue(open_shop: Any) -> None:
    shop = await open_shop()
    await shop.cycle()
    before = await shop.rows()
    await shop.restart(base_url=shop.simulator.url.replace("/2.0", "/v2"))
    for _ in range(3):
        report = await shop.cycle()
        assert report.outcome is Outcome.FAILED
        assert report.verdict is None
    assert "check base_url" in report.error
    assert await shop.rows() == before
    assert set((await shop.actives()).values()) == {True}
    shop.catalogue.sale(1, 1, 1)
    await shop.restart(base_url=shop.simulator.url)
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_host_that_is_not_there(shop: Shop) -> None:
    report = await _fails_then_recovers(shop, lambda one: one.simulator.stop(), lambda one: one.simulator.start())
    assert "base_url" in report.error
    assert "network" in report.error


async def test_a_parameter_that_qoyod_refuses_is_quoted(shop: Shop) -> None:
    report = await _fails_then_recovers(shop, *_fault('list=422:{"errors": {"per_page": "is odd"}}'), requests=1)
    assert "422" in report.error
    assert "is odd" in report.error


async def test_a_target_table_that_is_gone(open_shop: Any) -> None:
    async def spoil(shop: Shop) -> None:
        await shop.sql("ALTER TABLE stock_levels RENAME TO stock_level")

    async def mend(shop: Shop) -> None:
        await shop.sql("ALTER TABLE stock_level RENAME TO stock_levels")

    shop = await open_shop()
    await shop.cycle()
    await shop.restart(target={"create_table": False})
    report = await _fails_then_recovers(shop, spoil, mend)
    assert "no table 'stock_levels'" in report.error or "check" in report.error
    assert "stock_level" in report.error


async def test_a_table_that_was_never_there_is_named_beside_those_that_are(open_shop: Any) -> None:
    shop = await open_shop(2, prepare=("CREATE TABLE stok_levels (id INTEGER)",), target={"create_table": False})
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "stok_levels" in report.error
    assert "target.table" in report.error


async def test_a_column_that_is_gone(open_shop: Any) -> None:
    async def spoil(shop: Shop) -> None:
        await shop.sql("ALTER TABLE stock_levels RENAME COLUMN quantity TO quantite")

    async def mend(shop: Shop) -> None:
        await shop.sql("ALTER TABLE stock_levels RENAME COLUMN quantite TO quantity")

    report = await _fails_then_recovers(await open_shop(), spoil, mend)
    assert "quantity" in report.error


async def test_a_column_that_was_never_there_is_named_beside_those_that_are(open_shop: Any) -> None:
    columns = {"product_id": "product_id", "location": "location_id", "quantity": "quantite"}
    table = "CREATE TABLE stock_levels (product_id BIGINT, location_id TEXT, quantity NUMERIC)"
    shop = await open_shop(2, prepare=(table,), target={"columns": columns}, policy={"on_deleted": "keep"})
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "'quantite'" in report.error
    assert "quantity" in report.error


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_target_that_is_down(open_shop: Any, request: pytest.FixtureRequest, kind: str) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    server: Server = request.getfixturevalue(f"{kind}_server")

    async def spoil(_shop: Shop) -> None:
        server.stop()

    async def mend(_shop: Shop) -> None:
        server.start()

    shop = await open_shop(4, target={"url": url})
    try:
        report = await _fails_then_recovers(shop, spoil, mend)
    finally:
        server.start()
    assert "accounts.main.target" in report.error
    assert "does not answer" in report.error


async def test_an_account_whose_key_is_refused_does_not_keep_another_from_its_work(open_shop: Any) -> None:
    shop = await open_shop(
        also=[{"target": {"table": "second"}}], environ={"WRONG": "no-such-key"}, auth={"secret_env": "WRONG"}
    )
    assert (await shop.cycle("main")).outcome is Outcome.UNAUTHORIZED
    assert (await shop.cycle("other1")).outcome is Outcome.DONE
    assert await shop.sql("SELECT count(*) FROM second") == [(16,)]


async def test_an_error_shows_no_secret(open_shop: Any, logs: list[dict[str, Any]]) -> None:
    shop = await open_shop(environ={"QOYOD_API_KEY": "sehr-geheim-123"})
    for fault in ("auth=revoke", "list=422:key sehr-geheim-123 is bad", "all=500:sehr-geheim-123"):
        shop.simulator.faults.clear()
        shop.simulator.faults.add("auth=rotate:sehr-geheim-123", fault)
        report = await shop.cycle()
        assert report.outcome is not Outcome.DONE
        assert "sehr-geheim-123" not in report.error
    assert "sehr-geheim-123" not in repr(logs)
