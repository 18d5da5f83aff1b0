"""Whether the list and the look-up by id tell the same story."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from stocksync.core.model import Cell, Product, Reading


class Check(StrEnum):
    """The result for one product."""

    SAME = "same"
    MOVED = "moved"
    """They differed, and agreed on the second reading: stock moves."""
    DIFFERENT = "different"
    INCONCLUSIVE = "inconclusive"


def sample(reading: Reading, changing: Iterable[Cell], size: int, seed: int) -> list[Product]:
    """Choose products to check: those about to change first, then others, spread by `seed`."""
    if not size:
        return []
    tracked = [product_id for product_id, product in reading.products.items() if product.tracked and product.stock]
    first = dict.fromkeys(cell.product_id for cell in changing if cell.product_id in reading.products)
    chosen = [*_spread(list(first), size, seed), *_spread(tracked, size, seed)]
    return [reading.products[product_id] for product_id in dict.fromkeys(chosen)][:size]


def agree(listed: Product, looked_up: Product) -> bool:
    """Whether both show the same SKU, tracking and figures."""
    same_kind = listed.sku == looked_up.sku and listed.tracked == looked_up.tracked
    return same_kind and dict(listed.stock) == dict(looked_up.stock)


def verdict_on(results: Sequence[Check]) -> str:
    """Say why the reading is not to be believed; "" where it is: over a third confirmed differences is too many."""
    different = sum(result is Check.DIFFERENT for result in results)
    if different * 3 <= len(results):
        return ""
    return f"{different} of {len(results)} products differ between Qoyod's list and its answer by id, read twice"


def _spread(ids: Sequence[int], size: int, seed: int) -> list[int]:
    if len(ids) <= size:
        return list(ids)
    step = len(ids) / size
    return [ids[int(index * step + seed) % len(ids)] for index in range(size)]
