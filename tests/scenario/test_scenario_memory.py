"""What a cycle was made of is gone when it ends: the collector, which holds up the loop, has nothing large to find."""

import gc
from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Cell, Change, Product, RowLocator, SnapshotCell
from stocksync.core.report import Outcome
from stocksync.errors import StateUnavailable, TargetUnavailable

FIGURES = (Cell, Change, Product, RowLocator, SnapshotCell)


def _left_to_the_collector() -> set[str]:
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return {type(one).__name__ for one in gc.garbage if isinstance(one, FIGURES)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


async def _worked(shop: Shop) -> None:
    """Fill, change, compare every row, look at the target, and fail."""
    await shop.cycle()
    shop.catalogue.stock_take(3, 1, 5)
    await shop.cycle()
    await shop.cycle(full=True)
    await shop.audit()
    for turn, broken in enumerate(("target.write", "target.read", "state.observe", "state.acknowledge"), 1):
        for product in range(1, 18):
            shop.catalogue.stock_take(product, 1, 1000 * turn + product)
        owner, method = broken.split(".")
        with pytest.MonkeyPatch.context() as patched:
            port, error = getattr(shop.account, owner), StateUnavailable if owner == "state" else TargetUnavailable
            patched.setattr(port, method, _Failing(getattr(port, method), error))
            assert (await shop.cycle(full=True)).outcome is Outcome.FAILED, broken


class _Failing:
    """What works twice, in the first portions, and fails then."""

    def __init__(self, method: Any, error: type[Exception]) -> None:
        self.method, self.error, self.calls = method, error, 0

    async def __call__(self, *args: Any, **how: Any) -> Any:
        self.calls += 1
        if self.calls > 2:
            raise self.error("it is away")
        return await self.method(*args, **how)


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"])
async def test_a_cycle_leaves_no_figure_to_the_collector(
    open_shop: Any, database: str, request: pytest.FixtureRequest
) -> None:
    url = {} if database == "sqlite" else {"url": request.getfixturevalue(f"{database}_url")}
    shop = await open_shop(17, target={**url, "create_table": True})
    gc.collect()
    gc.disable()
    try:
        await _worked(shop)
        assert not _left_to_the_collector()
    finally:
        gc.enable()
