"""How often a cycle asks a PostgreSQL: with many accounts that is most of what a poll costs."""

from typing import Any

import pytest
from scenario_shop import sent_over

from stocksync.state.migrate import migrate


@pytest.mark.parametrize(
    ("changed", "asked"), [(0, (7, 2)), (8, (11, 7))], ids=["nothing changed", "some rows changed"]
)
@pytest.mark.usefixtures("one_portion")
async def test_a_cycle_asks_state_and_target_as_seldom_as_it_can(
    open_shop: Any, postgresql_server: Any, postgresql_url: str, changed: int, asked: tuple[int, int]
) -> None:
    state = postgresql_server.new_database()
    await migrate(state)
    shop = await open_shop(12, state=state, target={"url": postgresql_url}, poll={"cross_check": 0, "per_page": 20})
    await shop.cycle()  # makes the table, and knows all that it needs by then
    for product in range(1, changed + 1):
        shop.catalogue.stock_take(product, 1, 77)
    with sent_over(shop.runtime.state.engine) as state_asked, shop.counting() as target_asked:
        report = await shop.cycle()
    assert report.counts.applied == changed
    settled = (await shop.runtime.state.catalogue("main")).known
    assert len([product for product in settled.values() if product is not None]) == 12
    assert len(state_asked) <= asked[0], state_asked
    assert len(target_asked.every) <= asked[1], target_asked.every
