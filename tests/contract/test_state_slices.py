"""A large update in slices says what the whole says, and no product is in two of them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.model import Cell, SettledCounts, SettledProduct, SnapshotProduct
from stocksync.ports import Quarantined, SnapshotUpdate
from stocksync.state.slices import in_slices

T0 = datetime(2026, 11, 29, tzinfo=UTC)
IDS = st.integers(1, 12)
CELLS = st.builds(Cell, IDS, st.sampled_from("ab"))
UPDATES = st.builds(
    SnapshotUpdate,
    cells=st.dictionaries(CELLS, st.just((((3, Decimal(1)),), T0))),
    products=st.dictionaries(IDS, st.just(SnapshotProduct("s", "n", True, 1, 0, None))),
    corrected=st.dictionaries(CELLS, st.none()),
    adopted=st.dictionaries(CELLS, st.just((Decimal(1), "s"))),
    unknown=st.dictionaries(CELLS, st.none()),
    quarantined=st.lists(st.builds(lambda one: Quarantined(one, "a", "s", "r", None, 1, T0, T0, T0), IDS)),
    given_up=st.lists(CELLS),
    released=st.lists(st.tuples(IDS, st.none())),
    unsettled=st.lists(IDS),
    settled=st.dictionaries(IDS, st.just(SettledProduct(b"d", SettledCounts(1, 0, 0, 1, True)))),
    layout=st.none() | st.just("INTEGER"),
    checked_up_to=st.none() | IDS,
    rules=st.just(b"r"),
)
ROWS = (
    "cells",
    "products",
    "corrected",
    "adopted",
    "unknown",
    "quarantined",
    "given_up",
    "released",
    "unsettled",
    "settled",
)


def rows_of(seen: SnapshotUpdate) -> list[Any]:
    every: list[Any] = []
    for name in ROWS:
        held = getattr(seen, name)
        every += [(name, row) for row in (held.items() if isinstance(held, dict) else held)]
    return sorted(every, key=repr)


@given(UPDATES, st.integers(1, 9))
def test_slices_say_what_the_whole_says(seen: SnapshotUpdate, size: int) -> None:
    slices = in_slices(seen, size)
    assert sorted((row for part in slices for row in rows_of(part)), key=repr) == rows_of(seen)
    touched = [part.touched | part.settled.keys() for part in slices]
    assert sum(map(len, touched)) == len(seen.touched | seen.settled.keys()), "no product is in two"
    assert (slices[0].layout, slices[0].checked_up_to) == (seen.layout, seen.checked_up_to)
    assert {part.rules for part in slices} == {b"r"}
