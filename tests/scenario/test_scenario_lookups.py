"""One product, now: a fresh figure, pushed at once; the snapshot, marked stale, where Qoyod is away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from scenario_shop import Shop

from stocksync.app import service
from stocksync.config import build
from stocksync.core.model import Cell, Product, RowLocator, show
from stocksync.core.report import Outcome
from stocksync.errors import AskedTooOften, LeaseLost, NotFound, Unanswered
from stocksync.ports import Priority
from stocksync.run import cycle
from stocksync.run.explain import explain
from stocksync.run.leases import lead
from stocksync.run.lookup import Query, look_up
from stocksync.run.lookup_push import LookupPushes, Push
from stocksync.run.runner import Runner


async def test_a_look_up_shows_source_snapshot_and_target_side_by_side(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 15 WHERE product_id = 2 AND location_id = '1'")
    for query in ({"sku": "P-02"}, {"product_id": 2}):
        answer = await shop.look_up(**query)
        assert (answer.fresh, answer.product_id, answer.sku, answer.pushed) == (True, 2, "P-02", 0)
        first = answer.places[0]
        assert (first.source, first.desired, first.snapshot) == (Decimal(21), Decimal(21), Decimal(21))
        assert first.target == Decimal(15)


async def test_when_a_figure_was_confirmed_and_when_it_changed_are_two_times(shop: Shop, later: Any) -> None:
    first = await shop.cycle()
    later(hours=2)
    second = await shop.cycle()
    assert first.ended_at is not None
    remembered = await shop.look_up("P-02", fresh=False)
    explained = (await explain(shop.account, shop.runtime.state, "P-02"))[0]
    for shown in (remembered, *remembered.places, *explained.cells):
        assert shown.confirmed_at == second.ended_at
        assert shown.changed_at <= first.ended_at
    assert remembered.at == remembered.confirmed_at
    asked = await shop.look_up("P-02")
    assert asked.at == asked.confirmed_at > second.ended_at
    assert asked.changed_at == remembered.changed_at


async def test_a_product_that_never_had_a_figure_was_never_confirmed(shop: Shop) -> None:
    product = shop.catalogue.create("BARE", "No stock yet", stock={}).id
    await shop.cycle()
    for fresh in (False, True):
        answer = await shop.look_up(product_id=product, fresh=fresh)
        assert (list(answer.places), answer.confirmed_at, answer.changed_at) == ([], None, None)


async def test_locations_bear_the_names_that_qoyod_gives_them(shop: Shop) -> None:
    await shop.cycle()
    for fresh in (False, True):
        answer = await shop.look_up("P-02", fresh=fresh)
        assert [dict(place.locations) for place in answer.places] == [{1: "Main Warehouse"}, {3: "Riyadh Outlet"}]
    (explained,) = await explain(shop.account, shop.runtime.state, "P-02")
    assert explained.cells[1].locations == {3: "Riyadh Outlet"}
    assert "Riyadh Outlet" in explained.cells[1].steps[0].why


async def test_what_cannot_be_asked_is_not_said_to_be_missing_nor_away(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("auth=revoke")
    refused = await shop.look_up("P-02")
    assert refused.note.startswith("Qoyod refuses the credential")
    assert "make a key in Qoyod" in refused.note
    assert refused.places[0].in_target is True
    shop.simulator.faults.clear()
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 2 AND location_id = '1'")
    assert [place.in_target for place in (await shop.look_up("P-02")).places] == [False, True]
    await shop.sql("ALTER TABLE stock_levels RENAME TO elsewhere")
    away = await shop.look_up("P-02")
    assert "the target cannot be asked" in away.note
    assert "not pushed" not in away.note
    assert [place.in_target for place in away.places] == [None, None]


async def test_a_changed_figure_that_a_look_up_finds_is_pushed_at_once(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, 5)
    shop.catalogue.stock_take(3, 1, 6)
    shop.simulator.requests.clear()
    answer = await shop.look_up("P-02")
    assert (answer.fresh, answer.pushed) == (True, 1)
    rows = await shop.rows()
    assert (rows[2, "1"], rows[3, "1"]) == ("5", "31"), "the product that was asked for, and no other"
    assert len(shop.simulator.requests) == 1
    row = (await shop.ledger(2))[0]
    assert str(row.change) == "P-02 @ 1: 21 → 5"
    assert row.cycle_id.startswith("lookup-")
    report = await shop.cycle()
    assert report.counts.applied == 1
    assert await shop.rows() == shop.truth()


async def test_a_look_up_waits_for_no_cycle_and_what_it_found_is_written_after_it(shop: Shop) -> None:
    await shop.cycle()
    account, state = shop.account, shop.runtime.state
    async with lead(account, shop.runtime.owner) as lease:
        pushes = LookupPushes(account, state, lambda: lease)
        async with account.writing:  # as a cycle holds it
            for product, figure in ((2, 5), (3, 6), (3, 7)):
                shop.catalogue.stock_take(product, 1, figure)
                answer = await look_up(account, state, Query(product_id=product), lease, pushes=pushes)
                assert (answer.fresh, answer.pushed, answer.places[0].source) == (True, 0, figure)
                assert "as soon as it has ended" in answer.note
            same = await look_up(account, state, Query("P-05"), lease, pushes=pushes)
            assert (same.fresh, same.pushed, same.note) == (True, 0, ""), "nothing is new, so nothing waits"
        assert pushes.task is not None
        await pushes.task
        rows = await shop.rows()
        assert (rows[2, "1"], rows[3, "1"]) == ("5", "7")
        written = [(await shop.ledger(product))[0].cycle_id for product in (2, 3)]
        assert written[0] == written[1], "what gathered is one push"


async def test_a_look_up_before_the_first_cycle_makes_the_row(shop: Shop) -> None:
    answer = await shop.look_up("P-02")
    assert answer.pushed == 2
    assert await shop.rows() == {(2, "1"): "21", (2, "3"): "23"}
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_a_product_that_qoyod_does_not_know_is_not_found(shop: Shop) -> None:
    await shop.cycle()
    for query in ({"sku": "NO-SUCH"}, {"product_id": 4711}):
        with pytest.raises(NotFound, match="knows no product"):
            await shop.look_up(**query)
    assert set((await shop.actives()).values()) == {True}


async def test_a_deleted_product_is_not_found_and_a_look_up_removes_nothing(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.delete(2)
    for _ in range(3):
        with pytest.raises(NotFound):
            await shop.look_up(product_id=2)
    assert set((await shop.actives()).values()) == {True}
    assert (await shop.rows())[2, "1"] == "21"


@pytest.mark.parametrize("fault", ["all=500", "all=html", "auth=revoke", "all=redirect"])
async def test_where_qoyod_is_away_the_snapshot_answers_and_says_so(shop: Shop, fault: str) -> None:
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, 5)
    shop.simulator.faults.add(fault)
    for query in ({"sku": "P-02"}, {"product_id": 2}):
        answer = await shop.look_up(**query)
        assert (answer.fresh, answer.pushed) == (False, 0)
        assert answer.note
        assert answer.places[0].source == Decimal(21)
        assert answer.places[0].target == Decimal(21)
    assert (await shop.rows())[2, "1"] == "21"


async def test_where_qoyod_is_away_an_unknown_product_is_still_not_found(shop: Shop) -> None:
    await shop.cycle()
    await shop.simulator.stop()
    with pytest.raises(Unanswered, match=r"Qoyod does not answer: .*; the snapshot knows no product"):
        await shop.look_up("NO-SUCH")


async def test_a_row_of_another_sku_than_asked_for_is_not_taken(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("list=ignore-filter")
    shop.catalogue.stock_take(1, 1, 99)
    shop.catalogue.stock_take(2, 1, 98)
    with pytest.raises(NotFound, match="did not follow the filter"):
        await shop.look_up("P-09")
    rows = await shop.rows()
    assert rows[1, "1"] == "11"
    shop.simulator.faults.clear()
    shop.simulator.faults.add('product-2=set:sku="P-02 "')
    with pytest.raises(NotFound):
        await shop.look_up("P-02")
    assert (await shop.rows())[2, "1"] == "21"


async def test_a_row_that_cannot_be_read_is_answered_by_the_snapshot(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-2=bad-stock:null")
    answer = await shop.look_up(product_id=2)
    assert (answer.fresh, answer.pushed) == (False, 0)
    assert "stock" in answer.note
    assert (await shop.rows())[2, "1"] == "21"


async def test_a_process_that_is_not_the_writer_looks_and_pushes_nothing(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, 5)
    answer = await shop.look_up("P-02", lead_it=False)
    assert (answer.fresh, answer.pushed) == (True, 0)
    assert "not the writer" in answer.note
    assert answer.places[0].source == Decimal(5)
    assert (await shop.rows())[2, "1"] == "21"


async def test_what_a_plan_holds_a_look_up_does_not_push(large_shop: Shop) -> None:
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    assert (await large_shop.cycle()).outcome is Outcome.HELD
    answer = await large_shop.look_up("P-02")
    assert (answer.fresh, answer.pushed) == (True, 0)
    assert (await large_shop.rows())[2, "1"] == "21"


async def test_look_ups_one_after_the_other_do_not_carry_a_mass_zero_past_the_guards(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("all=mass-zero")
    for product in range(1, 16):
        await large_shop.look_up(product_id=product)
    zeroed = [key for key, figure in (await large_shop.rows()).items() if figure == "0" and before[key] != "0"]
    assert len(zeroed) <= 0.15 * len(before)


@pytest.mark.parametrize("narrow", [{"sku": "P-01"}, {"category_id": 2}])
async def test_outside_the_filter_a_look_up_answers_and_pushes_nothing(open_shop: Any, narrow: dict[str, Any]) -> None:
    shop = await open_shop(poll={"filter": narrow})
    shop.catalogue.item(1).category_id = 2
    for _ in range(2):
        for query in ({"sku": "P-02"}, {"product_id": 2}):
            answer = await shop.look_up(**query)
            assert (answer.fresh, answer.pushed, answer.places[0].source) == (True, 0, Decimal(21))
            assert "outside poll.filter" in answer.note
        await shop.cycle()
        assert {key[0] for key in await shop.rows()} == {1}
    shop.catalogue.stock_take(1, 1, 5)
    assert (await shop.look_up("P-01")).pushed == 1
    assert (await shop.rows())[1, "1"] == "5"


async def test_a_negative_that_waits_for_a_person_is_not_pushed_by_a_look_up(open_shop: Any) -> None:
    shop = await open_shop(policy={"negative": "hold"})
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, -4)
    answer = await shop.look_up("P-02")
    assert answer.pushed == 0
    assert (await shop.rows())[2, "1"] == "21"


async def test_where_the_target_is_broken_a_look_up_still_answers(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("ALTER TABLE stock_levels RENAME COLUMN quantity TO amount")
    shop.catalogue.stock_take(2, 1, 5)
    answer = await shop.look_up("P-02")
    assert answer.fresh
    assert (answer.places[0].source, answer.places[0].target) == (Decimal(5), None)
    assert "quantity" in answer.note
    await shop.sql("ALTER TABLE stock_levels RENAME COLUMN amount TO quantity")
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_a_person_who_asks_by_id_does_not_wait_behind_checks(shop: Shop) -> None:
    await shop.cycle()
    product, asked = shop.account.source.product, []

    async def heard(product_id: int, priority: Priority = Priority.CHECK) -> Any:
        asked.append(priority)
        return await product(product_id, priority)

    shop.account.source.product = heard  # type: ignore[method-assign]
    await shop.look_up(product_id=2)
    assert asked == [Priority.PERSON]


def while_qoyod_answers(shop: Shop, happens: Callable[[], Awaitable[object]]) -> None:
    """Let something happen between the question for a product and its answer."""
    product = shop.account.source.product

    async def answered(product_id: int, priority: Priority = Priority.CHECK) -> Any:
        shop.account.source.product = product  # type: ignore[method-assign]
        await happens()
        return await product(product_id, priority)

    shop.account.source.product = answered  # type: ignore[method-assign]


async def test_what_is_new_is_pushed_though_the_target_shows_no_row_just_now(shop: Shop) -> None:
    await shop.cycle()
    account, read, added = shop.account, shop.account.target.read, asyncio.Event()

    class Noted(LookupPushes):
        def add(self, product: Product) -> "asyncio.Future[Push]":
            added.set()
            return super().add(product)

    async def hanging(refs: Sequence[RowLocator]) -> Any:
        return await (asyncio.Event().wait() if refs else read(refs))

    shop.catalogue.stock_take(2, 1, 5)
    async with lead(account, shop.runtime.owner) as lease, asyncio.timeout(10):
        pushes = Noted(account, shop.runtime.state, lambda: lease)
        account.target.read = hanging  # type: ignore[method-assign]
        asked = asyncio.create_task(look_up(account, shop.runtime.state, Query("P-02"), lease, pushes=pushes))
        await added.wait()
        assert pushes.task is not None
        await pushes.task
        asked.cancel()
        await asyncio.wait([asked])
    account.target.read = read  # type: ignore[method-assign]
    assert (await shop.rows())[2, "1"] == "5"


async def test_what_is_written_while_qoyod_answers_is_in_the_answer(shop: Shop) -> None:
    await shop.cycle()

    async def trade() -> None:
        shop.catalogue.stock_take(2, 1, 5)
        shop.catalogue.leave(2, 3)
        shop.catalogue.receipt(2, 5, 8)
        await shop.cycle()

    while_qoyod_answers(shop, trade)
    answer = await shop.look_up(product_id=2, lead_it=False)
    shown = {place.place: (place.source, place.snapshot, place.target) for place in answer.places}
    assert shown["1"] == (5, 5, 5)
    assert shown["5"] == (8, 8, 8)


async def test_what_a_poll_of_before_writes_while_qoyod_answers_is_put_right(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(poll={"cross_check": 0})
    await shop.cycle()
    read, may_write, prepare = asyncio.Event(), asyncio.Event(), cycle.prepare

    async def held(*args: Any, **kwargs: Any) -> Any:
        read.set()
        await may_write.wait()
        return await prepare(*args, **kwargs)

    monkeypatch.setattr(cycle, "prepare", held)
    async with lead(shop.account, shop.runtime.owner) as lease:
        shop.catalogue.stock_take(2, 1, 5)
        poll = asyncio.create_task(cycle.Cycle(shop.account, lease).run())
        await read.wait()
        shop.catalogue.stock_take(2, 1, 21)  # as it was, before anybody looks it up

        async def write() -> None:
            may_write.set()
            await poll

        while_qoyod_answers(shop, write)
        answer = await look_up(shop.account, shop.runtime.state, Query(product_id=2), lease)
    assert (answer.places[0].target, answer.pushed) == (21, 1)
    assert (await shop.rows())[2, "1"] == "21"


async def test_a_sku_that_another_product_bears_by_now_is_answered_with_that_one(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.rename(2, "P-99")
    other = shop.catalogue.create("P-02", "The new one", stock={1: 7}).id
    answer = await shop.look_up("P-02")
    assert (answer.product_id, [place.source for place in answer.places], answer.pushed) == (other, [7], 1)
    shop.catalogue.rename(2, "P-02B")
    renamed = await shop.look_up("P-02B", lead_it=False)
    assert (renamed.product_id, [place.target for place in renamed.places]) == (2, [21, 23])


async def test_no_report_from_before_is_given_while_the_process_stops(shop: Shop) -> None:
    async with lead(shop.account, "me") as lease:
        runner = Runner(shop.account, shop.runtime.state, {"main": lease})
        assert (await runner.cycle_now()).outcome is Outcome.DONE
        runner.stop()
        with pytest.raises(LeaseLost, match="this process stops"):
            await runner.cycle_now()


async def test_the_daemon_answers_over_http_pushes_and_knows_404(open_shop: Any) -> None:
    shop = await open_shop()
    await shop.close()
    config = build({**shop.data, "http": {"listen": "127.0.0.1:0"}}, shop.environ)
    async with service(config) as daemon, aiohttp.ClientSession() as web:
        while not daemon.loop.runners["main"].lease:
            await _turn()
        await daemon.cycle_now("main")
        url = "http://{}:{}/api/stock".format(*daemon.address)
        shop.catalogue.stock_take(2, 1, 5)
        async with web.get(url, params={"sku": "P-02"}) as response:
            answer = await response.json()
            assert (response.status, answer["fresh"], answer["places"][0]["source"]) == (200, False, "21")
        async with web.get(url, params={"sku": "P-02", "fresh": "true"}) as response:
            assert response.status == 405
        refresh = url.replace("stock", "refresh")
        async with web.post(refresh, params={"sku": "P-02"}) as response:
            answer = await response.json()
            assert (response.status, answer["fresh"], answer["pushed"]) == (200, True, 1)
        assert (await shop.rows())[2, "1"] == "5"
        shop.catalogue.stock_take(2, 1, 6)
        async with web.post(refresh, params={"sku": "P-02"}, headers={"Sec-Fetch-Site": "cross-site"}) as response:
            assert response.status == 403
        async with web.post(refresh, params={"sku": "P-02"}) as response:
            answer = await response.json()
            assert (response.status, answer["fresh"], answer["pushed"]) == (200, True, 1)
        assert (await shop.rows())[2, "1"] == "6"
        async with web.post(refresh, params={"sku": "NO-SUCH"}) as response:
            assert response.status == 404
        await shop.simulator.stop()
        async with web.post(refresh, params={"id": "2"}) as response:
            answer = await response.json()
            assert (response.status, answer["fresh"]) == (200, False)
            assert "Qoyod does not answer" in answer["note"]
    await shop.enter()


async def _turn() -> None:
    import asyncio  # noqa: PLC0415

    await asyncio.sleep(0.01)


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 7, 11, 16, 22, 29, 37, 60])
async def test_a_question_that_is_dropped_at_any_moment_leaves_no_half_push(shop: Shop, steps: int) -> None:
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 5)
    asking = asyncio.create_task(shop.look_up("P-01"))
    for _ in range(steps):
        await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.wait([asking])
    assert not shop.account.writing.locked()
    snapshot = await shop.runtime.state.snapshot("main")
    assert all(cell.intent is None for cell in snapshot.cells.values())
    assert show(snapshot.cells[Cell(1, "1")].acked) == (await shop.rows())[1, "1"]
    await shop.expire_lease()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_a_flood_of_look_ups_is_refused_before_it_has_spent_what_polls_need(shop: Shop) -> None:
    await shop.cycle()
    tasks = [asyncio.create_task(shop.look_up("P-02", lead_it=False)) for _ in range(60)]
    done, waiting = await asyncio.wait(tasks, timeout=2)
    assert sum(isinstance(task.exception(), AskedTooOften) for task in done) == 40
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await shop.cycle()).outcome is Outcome.DONE


@pytest.mark.parametrize("fault", ["", "list=ignore-in"])
async def test_the_lines_of_an_order_are_asked_for_pushed_and_answered_together(open_shop: Any, fault: str) -> None:
    shop = await open_shop()
    await shop.close()
    config = build({**shop.data, "http": {"listen": "127.0.0.1:0"}}, shop.environ)
    async with service(config) as daemon, aiohttp.ClientSession() as web:
        while not daemon.loop.runners["main"].lease:
            await _turn()
        await daemon.cycle_now("main")
        url = "http://{}:{}/api/refresh".format(*daemon.address)
        if fault:
            shop.simulator.faults.add(fault)
        for product in (1, 2, 3):
            shop.catalogue.stock_take(product, 1, 40 + product)
        shop.simulator.requests.clear()
        async with web.post(url, json={"account": "main", "skus": ["P-03", "P-01", "NO-SUCH", "P-02"]}) as response:
            told = await response.json()
        assert response.status == 200
        assert [(one["sku"], one["pushed"], one["fresh"]) for one in told["stock"]] == [
            (sku, 1, True) for sku in ("P-03", "P-01", "P-02")
        ]
        assert (told["not_found"], told["unanswered"]) == (["NO-SUCH"], {})
        assert [(await shop.rows())[product, "1"] for product in (1, 2, 3)] == ["41", "42", "43"]
        asked = [each for each in shop.simulator.requests if each.path.endswith("/products")]
        assert len(asked) == (2 if not fault else 5), [each.path for each in asked]
        for body, sentence in (
            (b"{", "the body is no JSON"),
            (b"[]", "the body is an object"),
            (b'{"skus": []}', "skus: a list of SKUs"),
            (b'{"skus": [7]}', "skus: a list of SKUs"),
            (b'{"skus": ["A"], "quantity": 5}', "unknown parameter 'quantity'"),
            (b'{"skus": ["A"], "account": "nobody"}', "account: there are main"),
        ):
            async with web.post(url, data=body) as response:
                assert response.status == 400
                assert sentence in (await response.json())["error"]
        shop.simulator.faults.clear()
        await shop.simulator.stop()
        async with web.post(url, json={"skus": ["P-03", "NO-SUCH"]}) as response:
            told = await response.json()
        assert [(one["sku"], one["fresh"]) for one in told["stock"]] == [("P-03", False)]
        assert "Qoyod does not answer" in told["unanswered"]["NO-SUCH"]
    await shop.enter()
