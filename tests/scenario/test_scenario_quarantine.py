"""What is set aside or unknown ends with what it belongs to, and a person may hurry it."""

from typing import Any

import pytest
from scenario_shop import Shop

CHECKED = (
    "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, location_id TEXT NOT NULL, quantity NUMERIC"
    " CHECK (quantity < 900), PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {"product_id": "product_id", "location": "location_id", "quantity": "quantity"}


@pytest.fixture
async def refused(open_shop: Any) -> Shop:
    """A shop with one cell that the target refuses: product 2 at location 1."""
    shop: Shop = await open_shop(
        prepare=(CHECKED,), target={"columns": COLUMNS, "create_table": False}, policy={"on_deleted": "keep"}
    )
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, 950)
    assert (await shop.cycle()).counts.quarantined == 1
    return shop


async def test_a_row_whose_cause_is_mended_is_tried_at_once_when_a_person_asks(refused: Shop) -> None:
    await refused.sql("ALTER TABLE stock_levels RENAME TO strict_levels")
    await refused.sql(CHECKED.replace(" CHECK (quantity < 900)", ""))
    await refused.sql("INSERT INTO stock_levels SELECT * FROM strict_levels")
    assert (await refused.cycle()).counts.quarantined == 1, "it waits"
    assert await refused.runtime.state.retry("main", await refused.runtime.state.products_with("main", "P-02")) == 1
    assert (await refused.cycle()).counts.applied == 1
    assert (await refused.status()).quarantined == 0
    assert await refused.rows() == refused.truth()


async def test_a_figure_that_the_target_refuses_is_set_aside_and_not_on_its_way(refused: Shop) -> None:
    status = await refused.status()
    assert (status.quarantined, status.oldest_unpushed) == (1, None)
    assert (await refused.audit()).cells == {"quarantined": 1}
    await refused.sql("UPDATE stock_levels SET quantity = 3 WHERE product_id = 2 AND location_id = '1'")
    assert (await refused.audit()).cells == {"edited_in_target": 1}, "the row that is refused hides no other writer"


async def test_quarantine_ends_with_a_deleted_product(refused: Shop) -> None:
    refused.catalogue.delete(2)
    await refused.cycles(3)
    status = await refused.status()
    assert (status.quarantined, status.refused, status.catalogue["gone"]) == (0, 0, 1)
    assert status.oldest_unpushed is None


async def test_quarantine_ends_where_stock_is_tracked_no_longer(refused: Shop) -> None:
    refused.catalogue.untrack(2)
    await refused.cycle()
    status = await refused.status()
    assert (status.quarantined, status.oldest_unpushed) == (0, None)
    refused.catalogue.track(2)
    refused.catalogue.stock_take(2, 1, 21)
    refused.catalogue.stock_take(2, 3, 23)
    await refused.cycle()
    assert await refused.rows() == refused.truth()


async def test_an_unreadable_row_ends_with_its_product(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-2=no-inventories")
    await shop.cycle()
    assert (await shop.status()).quarantined == 1
    shop.simulator.faults.clear()
    shop.catalogue.delete(2)
    await shop.cycles(3)
    assert (await shop.status()).quarantined == 0


@pytest.mark.parametrize("end", ["deleted", "untracked", "unmapped"])
async def test_an_unknown_cell_ends_with_what_it_belongs_to(shop: Shop, end: str) -> None:
    await shop.cycle()
    shop.catalogue.leave(2, 1)
    await shop.cycle()
    assert (await shop.status()).unknown == 1
    if end == "deleted":
        shop.catalogue.delete(2)
    elif end == "untracked":
        shop.catalogue.untrack(2)
    else:
        await shop.restart(locations={"map": {3: "3"}, "unmapped": "ignore"})
    await shop.cycles(3)
    assert (await shop.status()).unknown == 0
