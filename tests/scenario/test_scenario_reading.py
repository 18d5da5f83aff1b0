"""Qoyod on its bad days: what was read is used, what was not is left alone, and nothing loops."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from leasing import claim
from scenario_shop import Shop, small_catalogue
from sqlalchemy import delete

from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.simulator.server import Simulator
from stocksync.sqlengine import writing
from stocksync.state.schema import budgets


async def _moved(open_shop: Any, products: int = 20) -> Shop:
    """Open a shop of 4 pages in which every figure at location 1 has changed since the first cycle."""
    shop: Shop = await open_shop(products, guards={"changed": "100%"}, poll={"per_page": 5, "cross_check": 0})
    await shop.cycle()
    for product in shop.catalogue.items:
        shop.catalogue.receipt(product, 1, 1)
    return shop


def _page(product: int) -> int:
    return (product - 1) // 5 + 1


async def test_pages_that_meet_a_fault_twice_are_read_in_the_end(open_shop: Any) -> None:
    shop = await _moved(open_shop, 40)
    kinds = ["500x2", "502x2:<html>bad gateway</html>", "htmlx2", "stringx2", "empty-bodyx2", "half-jsonx2"]
    kinds += ["truncatex2", "resetx2"]
    shop.simulator.faults.add(*(f"page-{page}={kind}" for page, kind in enumerate(kinds, 1)))
    report = await shop.cycle()
    assert [fault.hits for fault in shop.simulator.faults] == [2] * 8
    assert (report.verdict, report.outcome) == (Verdict.COMPLETE, Outcome.DONE)
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize("fault", ["500", "string", "truncate", "deep-json", "huge:17"])
async def test_a_page_that_cannot_be_had_leaves_its_products_as_they_were(open_shop: Any, fault: str) -> None:
    shop = await _moved(open_shop)
    before = await shop.rows()
    shop.simulator.faults.add(f"page-2={fault}")
    for _ in range(3):
        report = await shop.cycle()
        assert (report.verdict, report.outcome) == (Verdict.PARTIAL, Outcome.DONE)
        assert report.reasons[0].startswith("page 2: ")
    expected = {key: before[key] if _page(key[0]) == 2 else figure for key, figure in shop.truth().items()}
    assert await shop.rows() == expected
    assert set((await shop.actives()).values()) == {True}
    status = await shop.status()
    assert status.last_complete < status.last_attempt, "such a cycle does not make the account fresh"
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_pages_that_never_come_stall_or_drip_end_at_their_deadline(open_shop: Any) -> None:
    shop = await _moved(open_shop)
    before = await shop.rows()
    shop.simulator.faults.add("page-2=timeout", "page-3=stall", "page-4=drip:0.1")
    report = await shop.cycle()
    assert report.verdict is Verdict.PARTIAL
    expected = {key: figure if _page(key[0]) == 1 else before[key] for key, figure in shop.truth().items()}
    assert await shop.rows() == expected
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize(
    "fault", ["list=500", "list=html", "list=reset", "list=gzip-bomb", "list=string", "list=deep-json"]
)
async def test_a_list_that_cannot_be_had_at_all_fails_the_cycle_with_one_line(open_shop: Any, fault: str) -> None:
    shop = await _moved(open_shop)
    before = await shop.rows()
    shop.simulator.faults.add(fault)
    shop.simulator.requests.clear()
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert report.error
    assert "\n" not in report.error
    assert len(shop.simulator.requests) <= 6, "the tries of pages 1 and 2, and no more"
    assert await shop.rows() == before
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("list=repeat-page-1", "echo"),
        ("page-3=copy-page-2", "ascend"),
        ("list=no-pagination", "pagination"),
        ("page-2=lost-pagination", "pagination"),
        ("page-3=nothing", "nothing was found"),
        ("page-2=wrong-total:5", "newest"),
        ("list=wrong-total:5", "5 do not fit"),
        ("page-2=drop-row", "19 rows read of 20"),
        ("page-2=double-row", "ascend"),
        ("page-2=reversed", "ascend"),
        ("page-2=empty-page", "15 rows read of 20"),
    ],
)
async def test_a_list_that_does_not_fit_together_is_recognised_named_and_proves_no_absence(
    open_shop: Any, logs: list[dict[str, Any]], fault: str, reason: str
) -> None:
    shop = await _moved(open_shop)
    before = await shop.rows()
    shop.catalogue.delete(20)
    shop.catalogue.create("P-21", stock={1: 5})
    shop.simulator.faults.add(fault)
    shop.simulator.requests.clear()
    report = await shop.cycles(3)
    assert report.verdict is Verdict.INCONSISTENT
    assert any(reason in one for one in report.reasons), report.reasons
    assert len(shop.simulator.requests) < 50, "it does not loop"
    assert [line["verdict"] for line in logs if line["event"] == "reading_doubted"] == [Verdict.INCONSISTENT] * 3
    rows = await shop.rows()
    shown = shop.truth()
    assert all(figure in {before.get(key), shown.get(key)} for key, figure in rows.items()), "nothing is invented"
    assert before.keys() <= rows.keys()
    assert set((await shop.actives()).values()) == {True}
    assert "/2.0/products/20" not in shop.asked()


async def test_what_an_inconsistent_list_did_show_is_written(open_shop: Any) -> None:
    shop = await _moved(open_shop)
    shop.simulator.faults.add("page-2=drop-row")
    before = await shop.rows()
    report = await shop.cycle()
    assert report.verdict is Verdict.INCONSISTENT
    expected = {key: before[key] if key[0] == 10 else figure for key, figure in shop.truth().items()}
    assert await shop.rows() == expected


async def test_a_server_that_clamps_the_page_size_is_read_to_the_end(
    open_shop: Any, logs: list[dict[str, Any]]
) -> None:
    shop = await _moved(open_shop)
    shop.simulator.faults.add("list=clamp-3")
    report = await shop.cycle()
    assert report.verdict is Verdict.COMPLETE
    assert await shop.rows() == shop.truth()
    assert [line["given"] for line in logs if line["event"] == "per_page_clamped"] == [[3]]


async def test_a_product_created_while_we_read_does_no_harm(open_shop: Any) -> None:
    shop = await _moved(open_shop)
    shop.simulator.faults.add("page-4=create-before:FRESH", "page-3=set-before:12/1=4.5")
    await shop.cycle()
    rows = await shop.rows()
    assert rows[12, "1"] == "4.5"
    await shop.cycle()
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize("after", ["retry=1", "retry=date-1"])
async def test_a_429_is_waited_out_and_the_cycle_goes_on(open_shop: Any, after: str) -> None:
    shop = await _moved(open_shop)
    shop.simulator.faults.add(f"list=429x1:{after}")
    report = await shop.cycle()
    assert (report.verdict, report.outcome) == (Verdict.COMPLETE, Outcome.DONE)
    assert await shop.rows() == shop.truth()


async def test_a_storm_of_429s_ends_the_cycle_at_its_deadline_and_leaves_other_accounts_untouched(
    open_shop: Any,
) -> None:
    async with Simulator(small_catalogue(4), rate_limit=None) as calm:
        shop = await open_shop(
            poll={"deadline": "1s", "interval": "1s", "jitter": "0s"},
            also=[{"base_url": calm.url, "target": {"table": "second"}}],
        )
        await shop.cycle()
        before = await shop.rows()
        shop.catalogue.sale(1, 1, 1)
        shop.simulator.faults.add("all=429")
        storm = asyncio.create_task(shop.cycle("main"))
        other = await shop.cycle("other1")
        assert not storm.done(), "the storm does not abandon the cycle before its deadline"
        assert other.outcome is Outcome.DONE
        report = await storm
    assert report.outcome is Outcome.DEADLINE
    assert "poll.deadline" in report.error
    assert await shop.rows() == before
    assert len([one for one in shop.simulator.requests if one.status == 429]) <= 4, "it does not hammer"
    shop.simulator.faults.clear()
    asked = len(shop.simulator.requests)
    await shop.restart()
    assert (await shop.cycle()).outcome is Outcome.DEADLINE
    assert len(shop.simulator.requests) == asked, "what a 429 forbids, it forbids the next process too"
    async with writing(shop.runtime.state.engine) as connection:
        await connection.execute(delete(budgets))
    await shop.restart()
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_cycle_that_takes_too_long_is_cancelled_counted_and_the_next_one_works(open_shop: Any) -> None:
    shop = await open_shop(poll={"deadline": "1s", "interval": "1s", "jitter": "0s"})
    shop.simulator.faults.add("list=slow:0.6")
    report = await shop.cycle()
    assert report.outcome is Outcome.DEADLINE
    assert (await shop.status()).consecutive_failures == 1
    shop.simulator.faults.clear()
    assert (await shop.cycle()).outcome is Outcome.DONE


async def test_a_filter_that_qoyod_ignores_writes_nothing_outside_it_and_deletes_nothing(open_shop: Any) -> None:
    shop = await open_shop(poll={"filter": {"sku": "P-02"}})
    await shop.cycle()
    assert await shop.rows() == {(2, "1"): "21", (2, "3"): "23"}
    shop.simulator.faults.add("list=ignore-filter")
    shop.catalogue.sale(2, 1, 1)
    report = await shop.cycle()
    assert report.verdict is Verdict.INCONSISTENT
    assert any("filter" in reason for reason in report.reasons)
    assert await shop.rows() == {(2, "1"): "20", (2, "3"): "23"}


async def test_absence_outside_the_filter_means_nothing(open_shop: Any) -> None:
    catalogue = small_catalogue(8)
    for product in (5, 6, 7, 8):
        catalogue.item(product).category_id = 2
    shop = await open_shop(catalogue)
    await shop.cycle()
    await shop.restart(poll={"filter": {"category_id": 2}})
    shop.catalogue.sale(5, 1, 1)
    shop.catalogue.sale(1, 1, 1)
    await shop.cycles(4)
    assert set((await shop.actives()).values()) == {True}
    rows = await shop.rows()
    assert rows[5, "1"] == "50"


async def test_two_entries_of_one_tenant_share_one_budget(open_shop: Any) -> None:
    shop = await open_shop(also=[{"poll": {"filter": {"sku": "P-02"}}}])
    main, other = shop.runtime.accounts.values()
    assert main.source._calls._budget is other.source._calls._budget  # type: ignore[attr-defined]
    await shop.cycle("main")
    await shop.cycle("other1")
    assert await shop.rows() == shop.truth()


async def test_an_older_read_never_overwrites_a_newer_figure_of_a_look_up(shop: Shop) -> None:
    await shop.cycle()
    read = shop.account.source.read

    async def read_and_dawdle(*args: Any, **kwargs: Any) -> Any:
        from stocksync.run.lookup import Query, look_up  # noqa: PLC0415

        reading = await read(*args, **kwargs)
        shop.catalogue.stock_take(2, 1, 7)
        lease = await claim(shop.runtime.state, "main", shop.runtime.owner, timedelta(seconds=10))
        answer = await look_up(shop.account, shop.runtime.state, Query("P-02"), lease)
        assert answer.pushed == 1
        return reading

    shop.account.source.read = read_and_dawdle  # type: ignore[method-assign]
    shop.catalogue.stock_take(2, 1, 5)
    await shop.cycle()
    assert (await shop.rows())[2, "1"] == "7"
