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


def in_slices(reading: Reading, snapshot: Snapshot, absent: Absent) -> Iterator[Slice]:
    """Cut by product, in the order of their ids; each slice is made when it is asked for."""
    cells, entries = cells_by_product(snapshot.cells), defaultdict[int, list[tuple[int, str | None]]](list)
    for entry in snapshot.quarantine:
        entries[entry[0]].append(entry)
    ids = sorted({*reading.products, *absent.updates, *absent.alive, *snapshot.products, *cells, *entries})
    if len(ids) <= _PRODUCTS:
        return iter([Slice(reading, snapshot, absent)])

    def of(part: Sequence[int]) -> Slice:
        keys = chain.from_iterable(cells.get(one, ()) for one in part)
        refused = chain.from_iterable(entries.get(one, ()) for one in part)
        return Slice(
            replace(reading, products=_of(reading.products, part)),
            replace(
                snapshot,
                cells=_of(snapshot.cells, keys),
                products=_of(snapshot.products, part),
                quarantine=_of(snapshot.quarantine, refused),
            ),
            replace(absent, updates=_of(absent.updates, part), alive=_of(absent.alive, part)),
        )

    return (of(ids[start : start + _PRODUCTS]) for start in range(0, len(ids), _PRODUCTS))


def _of(known: Mapping[Key, Known], keys: Iterable[Key]) -> dict[Key, Known]:
    return {key: known[key] for key in keys if key in known}
