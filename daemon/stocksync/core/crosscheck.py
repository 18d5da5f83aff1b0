"""Whether the list and the look-up by id tell the same story."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from stocksync.core.model import Cell, Product, Reading


class Check(StrEnum):
    """The result for one product."""

    SAME = "same"
    MOVED = "moved"
    """They differed, and agreed on the second reading: stock moves."""
    DIFFERENT = "different"
    INCONCLUSIVE = "inconclusive"


class Sample(NamedTuple):
    """The products to check, and where the next sample goes on."""

    products: list[Product]
    after: int
    """The id up to which all products have had their turn."""


def sample(reading: Reading, changing: Iterable[Cell], size: int, after: int, seed: int) -> Sample:
    """Choose products to check: those about to change, and in turn all others, from the id `after` on.

    On a busy shop something is always about to change: one of the sample, of a sample of one every second, is left to
    those whose turn it is.
    """
    if not size:
        return Sample([], after)
    first = list(dict.fromkeys(cell.product_id for cell in changing if cell.product_id in reading.products))
    spared = min(1, size - 1) or seed % 2
    chosen = _spread(first, size - spared if first else 0, seed)
    tracked = sorted(one for one, product in reading.products.items() if product.tracked and product.stock)
    ahead = bisect_right(tracked, after)
    in_turn = [one for one in (*tracked[ahead:], *tracked[:ahead]) if one not in chosen][: size - len(chosen)]
    more = [one for one in first if one not in {*chosen, *in_turn}][: size - len(chosen) - len(in_turn)]
    picked = [reading.products[one] for one in (*chosen, *in_turn, *more)]
    return Sample(picked, in_turn[-1] if in_turn else after)


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
    step = len(ids) / size if size else 0
    return [ids[int(index * step + seed) % len(ids)] for index in range(size)]
