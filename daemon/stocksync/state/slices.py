"""A large update in parts: a transaction holds the lease's row, and the lease must not run out meanwhile."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

from stocksync.ports import SnapshotUpdate

_PRODUCT_OF: Mapping[str, Callable[[Any], int]] = {
    **dict.fromkeys(("cells", "corrected", "adopted", "unknown", "given_up", "released"), itemgetter(0)),
    **dict.fromkeys(("products", "settled", "unsettled"), int),
    "quarantined": attrgetter("product_id"),
}
"""By field: whose product a row of it is."""


def in_slices(seen: SnapshotUpdate, size: int) -> list[SnapshotUpdate]:
    """Cut into updates of about `size` rows, each with all that concerns its products: any first few may stand alone.

    What concerns the account as a whole comes with the first.
    """
    rows = [(name, row, of(row)) for name, of in _PRODUCT_OF.items() for row in getattr(seen, name)]
    if len(rows) <= size:
        return [seen]
    firsts = sorted(product_id for _, _, product_id in rows)[size::size]
    slices = [SnapshotUpdate(replacing=seen.replacing, rules=seen.rules) for _ in range(len(firsts) + 1)]
    slices[0].layout, slices[0].locations, slices[0].checked_up_to = seen.layout, seen.locations, seen.checked_up_to
    for name, row, product_id in rows:
        whole, part = getattr(seen, name), getattr(slices[bisect_right(firsts, product_id)], name)
        if isinstance(whole, dict):
            part[row] = whole[row]
        else:
            part.append(row)
    return slices
