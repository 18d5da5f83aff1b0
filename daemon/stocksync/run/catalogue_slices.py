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


def in_slices(reading: Reading, snapshot: Snapshot, absent: Absent, size: int | None = None) -> Iterator[Slice]:
    """Cut by product, in the order of their ids; each slice, of `size` products, is made when it is asked for.

    A row that could not be read belongs to the product that it names; one that names none goes with the first slice.
    """
    size = size or _PRODUCTS
    cells, entries = cells_by_product(snapshot.cells), defaultdict[int, list[tuple[int, str | None]]](list)
    for entry in snapshot.quarantine:
        entries[entry[0]].append(entry)
    bad = {row.product_id or 0 for row in reading.bad_rows}
    ids = sorted({*reading.products, *absent.updates, *absent.alive, *snapshot.products, *cells, *entries, *bad})
    if len(ids) <= size:
        return iter([Slice(reading, snapshot, absent)])

    def of(part: Sequence[int]) -> Slice:
        keys = list(chain.from_iterable(cells.get(one, ()) for one in part))
        refused = chain.from_iterable(entries.get(one, ()) for one in part)
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

    return (of(ids[start : start + size]) for start in range(0, len(ids), size))


def chosen(known: Mapping[Key, Known], keys: Iterable[Key]) -> dict[Key, Known]:
    """Give what is known under these keys."""
    return {key: known[key] for key in keys if key in known}
