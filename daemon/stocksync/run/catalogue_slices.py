"""A catalogue in slices by product, each with all that is known of its products."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from stocksync.core.desired_state import cells_by_product
from stocksync.core.look_alike import sku_groups
from stocksync.core.model import Reading
from stocksync.ports import Snapshot
from stocksync.run.verification import Absent

_PRODUCTS = 500
"""A slice takes a few hundredths of a second: for so long nothing else is served."""

Key = TypeVar("Key", bound=Hashable)
Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Slice:
    """What was read and what is known of some products."""

    reading: Reading
    snapshot: Snapshot
    absent: Absent


class Slices:
    """A catalogue cut by product, in the order of their ids; each slice is made when it is asked for.

    A row that could not be read belongs to the product that it names; one that names none goes with the first slice.
    """

    def __init__(self, whole: Slice, size: int | None = None, *, by_sku: bool = False) -> None:
        """Cut what was read and is known into slices of `size` products.

        With `by_sku` those of which one may have the other's row are in one slice, however many they are.
        """
        reading, snapshot, absent = whole.reading, whole.snapshot, whole.absent
        self._whole, size = whole, size or _PRODUCTS
        self._cells = cells_by_product(snapshot.cells)
        self._entries = defaultdict[int, list[tuple[int, str | None]]](list)
        for entry in snapshot.quarantine:
            self._entries[entry[0]].append(entry)
        bad = {row.product_id or 0 for row in reading.bad_rows}
        read, known = {*reading.products, *bad}, {*snapshot.products, *self._cells, *self._entries}
        ids = read | known | {*absent.updates, *absent.alive}
        groups = sku_groups(_bearers(whole)) if by_sku and len(ids) > size else {}
        self._parts = list(_parts(ids, groups, size))

    def __len__(self) -> int:
        """Count them; there is always one."""
        return max(1, len(self._parts))

    def __getitem__(self, index: int) -> Slice:
        """Give one of them."""
        return self._whole if len(self) == 1 else self._of(self._parts[index])

    def __iter__(self) -> Iterator[Slice]:
        """Give one after the other."""
        return (self[index] for index in range(len(self)))

    def rest(self, first: int) -> Slice:
        """Give all from one of them on, as one."""
        return self._whole if not first else self._of(list(chain.from_iterable(self._parts[first:])))

    def _of(self, part: Sequence[int]) -> Slice:
        reading, snapshot, absent = self._whole.reading, self._whole.snapshot, self._whole.absent
        keys = list(chain.from_iterable(self._cells.get(one, ()) for one in part))
        refused = chain.from_iterable(self._entries.get(one, ()) for one in part)
        ids = set(part)
        rows = tuple(row for row in reading.bad_rows if (row.product_id or 0) in ids)
        return Slice(
            replace(reading, products=chosen(reading.products, part), bad_rows=rows),
            replace(
                snapshot,
                cells=chosen(snapshot.cells, keys),
                products=chosen(snapshot.products, part),
                quarantine=chosen(snapshot.quarantine, refused),
                corrected=chosen(snapshot.corrected, keys) if snapshot.corrected else snapshot.corrected,
            ),
            replace(absent, updates=chosen(absent.updates, part), alive=chosen(absent.alive, part)),
        )


def _parts(ids: Iterable[int], groups: Mapping[int, int], size: int) -> Iterator[list[int]]:
    """Cut into parts of `size` ids, and of more where a group would be cut."""
    part: list[int] = []
    of, last = groups.get, None
    for product_id in sorted(ids, key=lambda one: (of(one, one), one)) if groups else sorted(ids):
        group = of(product_id, product_id)
        if len(part) >= size and group != last:
            yield part
            part = []
        part.append(product_id)
        last = group
    if part:
        yield part


def _bearers(whole: Slice) -> Iterator[tuple[int, str]]:
    """Name each SKU that a product bears, or under which a row of it may stand."""
    for products in (whole.reading.products, whole.absent.alive, whole.snapshot.products, whole.absent.updates):
        for product_id, product in products.items():
            yield product_id, product.sku
    # What was never acknowledged has no SKU yet: its row would stand under its product's.
    yield from ((cell.product_id, one.sku) for cell, one in whole.snapshot.cells.items() if one.sku)


def chosen(known: Mapping[Key, Known], keys: Iterable[Key]) -> dict[Key, Known]:
    """Give what is known under these keys."""
    return {key: known[key] for key in keys if key in known}
