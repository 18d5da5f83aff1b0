"""A catalogue in slices by product, each with all that is known of its products."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from stocksync.core.desired_state import cells_by_product
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

    def __init__(self, whole: Slice, size: int | None = None) -> None:
        """Cut what was read and is known into slices of `size` products."""
        reading, snapshot, absent = whole.reading, whole.snapshot, whole.absent
        self._whole, size = whole, size or _PRODUCTS
        self._cells = cells_by_product(snapshot.cells)
        self._entries = defaultdict[int, list[tuple[int, str | None]]](list)
        for entry in snapshot.quarantine:
            self._entries[entry[0]].append(entry)
        bad = {row.product_id or 0 for row in reading.bad_rows}
        read, known = {*reading.products, *bad}, {*snapshot.products, *self._cells, *self._entries}
        ids = sorted(read | known | {*absent.updates, *absent.alive})
        self._parts = [ids[start : start + size] for start in range(0, len(ids), size)]

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
        rows = tuple(row for row in reading.bad_rows if part[0] <= (row.product_id or 0) <= part[-1])
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


def chosen(known: Mapping[Key, Known], keys: Iterable[Key]) -> dict[Key, Known]:
    """Give what is known under these keys."""
    return {key: known[key] for key in keys if key in known}
