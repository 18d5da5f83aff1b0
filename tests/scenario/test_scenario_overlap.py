"""Two entries of one tenant that write to one table: the newest figure stands, whoever read it."""

from typing import Any

import pytest
from scenario_shop import Died, Shop, small_catalogue


async def _hot_and_whole(open_shop: Any) -> Shop:
    shop: Shop = await open_shop(
        poll={"cross_check": 0},
        also=[{"poll": {"cross_check": 0, "filter": {"sku": "P-02"}}}],
    )
    await shop.cycle("main")
    await shop.cycle("other1")
    return shop


async def test_an_older_read_of_one_entry_never_overwrites_a_newer_figure_of_another(open_shop: Any) -> None:
    shop = await _hot_and_whole(open_shop)
    whole = shop.runtime.accounts["main"]
    read = whole.source.read

    async def read_and_dawdle(*args: Any, **kwargs: Any) -> Any:
        reading = await read(*args, **kwargs)
        shop.catalogue.stock_take(2, 1, 7)
        await shop.cycle("other1")
        return reading

    whole.source.read = read_and_dawdle  # type: ignore[method-assign]
    shop.catalogue.stock_take(2, 1, 5)
    await shop.cycle("main")
    assert (await shop.rows())[2, "1"] == "7"


async def test_a_figure_that_flips_back_between_the_polls_of_two_entries_is_right_after_the_next_of_either(
    open_shop: Any,
) -> None:
    shop = await _hot_and_whole(open_shop)
    shop.catalogue.stock_take(2, 1, 9)
    await shop.cycle("main")
    shop.catalogue.stock_take(2, 1, 21)
    await shop.cycle("other1")
    assert (await shop.rows())[2, "1"] == "21"


async def test_figures_that_flip_to_and_fro_between_two_entries_are_right_after_each_poll(open_shop: Any) -> None:
    shop = await _hot_and_whole(open_shop)
    for figure, name in ((9, "main"), (21, "other1"), (9, "main"), (21, "main"), (9, "other1"), (21, "main")):
        shop.catalogue.stock_take(2, 1, figure)
        await shop.cycle(name)
        assert (await shop.rows())[2, "1"] == str(figure)
    with shop.counting() as counted:
        for name in ("main", "other1", "main", "other1"):
            await shop.cycle(name)
    assert counted.writes == [], "once they agree, nobody writes"


async def test_an_entry_does_not_heal_away_what_another_has_written_since(open_shop: Any) -> None:
    shop = await _hot_and_whole(open_shop)
    shop.catalogue.stock_take(2, 1, 7)
    await shop.cycle("other1")
    report = await shop.audit(heal=True)
    assert (report.cells, report.healed) == ({}, 0)
    assert (await shop.rows())[2, "1"] == "7"


async def test_a_product_that_both_entries_knew_is_removed_once_and_no_more_is_written(open_shop: Any) -> None:
    shop = await _hot_and_whole(open_shop)
    await shop.restart(policy={"on_deleted": "delete"})
    shop.catalogue.stock_take(2, 1, 7)
    await shop.cycle("other1")
    shop.catalogue.delete(2)
    for name in ("main", "other1", "main", "other1"):
        await shop.cycle(name)
    assert {key[0] for key in await shop.rows()} == {1, 3, 4, 5, 6, 7, 8}
    with shop.counting() as counted:
        await shop.cycle("main")
        await shop.cycle("other1")
    assert counted.writes == []


async def test_a_sibling_that_died_between_commit_and_acknowledgement_is_made_good_by_the_other(open_shop: Any) -> None:
    shop = await _hot_and_whole(open_shop)
    shop.catalogue.stock_take(2, 1, 73)
    write, session = shop.runtime.accounts["other1"].target.write, shop.runtime.state._session

    async def dead(*_args: Any, **_kwargs: Any) -> Any:
        raise Died

    async def write_and_die(*args: Any, **kwargs: Any) -> Any:
        await write(*args, **kwargs)
        session.write = dead  # type: ignore[method-assign]
        raise Died

    shop.runtime.accounts["other1"].target.write = write_and_die  # type: ignore[method-assign]
    with pytest.raises(Died):
        await shop.cycle("other1")
    await shop.close()
    await shop.enter()
    await shop.expire_lease()
    shop.catalogue.stock_take(2, 1, 21)
    await shop.cycle("main")
    assert (await shop.rows())[2, "1"] == "21"
    await shop.cycle("other1")
    assert await shop.rows() == shop.truth()


async def test_two_accounts_of_one_tenant_on_one_table_write_in_turn_without_a_word_in_the_configuration(
    open_shop: Any,
) -> None:
    shop = await _hot_and_whole(open_shop)
    whole, hot = shop.runtime.accounts["main"], shop.runtime.accounts["other1"]
    assert whole.writing is hot.writing
    assert (whole.siblings, hot.siblings) == (("other1",), ("main",))


@pytest.mark.parametrize("first", ["main", "other1"])
async def test_two_entries_with_filters_of_their_own_whose_products_share_a_sku_leave_its_row_to_a_person(
    open_shop: Any, first: str
) -> None:
    catalogue = small_catalogue(6, (1,))
    for number in (4, 5, 6):
        catalogue.item(number).category_id = 9
    wares = catalogue.item(1).category_id
    poll = {"cross_check": 0, "filter": {"category_id": wares}}
    target = {"match_by": "sku", "columns": None}
    shop: Shop = await open_shop(
        catalogue, poll=poll, target=target, also=[{"poll": {**poll, "filter": {"category_id": 9}}, "target": target}]
    )
    second = "other1" if first == "main" else "main"
    for name in (first, second):
        assert (await shop.cycle(name)).counts.applied == 3
    shop.catalogue.rename(4, "P-01")
    for name in ("other1", first, second, "main"):
        report = await shop.cycle(name)
        assert report.counts.applied == 0
    assert (await shop.status("other1")).quarantined == 1
    shop.catalogue.stock_take(1, 1, 77)
    shop.catalogue.stock_take(4, 1, 78)
    for name in (first, second):
        report = await shop.cycle(name)
        assert (report.counts.applied, report.counts.quarantined) == (0, 1)
    reasons = [entry.reason for name in (first, second) for entry in (await shop.status(name)).quarantine]
    assert reasons == ["products 1, 4 bear the SKU 'P-01'"] * 2
    assert await shop.sql("SELECT quantity FROM stock_levels WHERE sku = 'P-01'") == [(11,)]
    await shop.look_up("P-01")
    await shop.audit(heal=True)
    assert await shop.sql("SELECT quantity FROM stock_levels WHERE sku = 'P-01'") == [(11,)]
    shop.catalogue.rename(4, "P-40")
    for name in ("other1", "main"):
        assert (await shop.cycle(name)).counts.applied == 1
    assert await shop.sql("SELECT quantity FROM stock_levels WHERE sku IN ('P-01', 'P-40') ORDER BY sku") == [
        (77,),
        (78,),
    ]
