"""Every product with all that is known of it is in one slice, and whoever may have its row is in the same."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import NOW, known, product, reading, remembered

from stocksync.core.look_alike import folded
from stocksync.core.model import BadRow, Cell
from stocksync.core.status import Quarantined, Side
from stocksync.ports import Snapshot
from stocksync.run.catalogue_slices import Slice, Slices
from stocksync.run.verification import Absent

IDS = st.integers(1, 12)
SKUS = st.sampled_from(["", "A", "a", "B", "007", "7", "C", "D", "E"])


def _quarantined(product_id: int) -> Quarantined:
    return Quarantined(product_id, "1", Side.TARGET, "refused", Decimal(1), 1, NOW, NOW, NOW)


@st.composite
def _wholes(draw: st.DrawFn) -> Slice:
    read = draw(st.dictionaries(IDS, SKUS))
    entries, cells = (
        draw(st.dictionaries(IDS, SKUS)),
        draw(st.dictionaries(st.tuples(IDS, st.sampled_from("12")), SKUS)),
    )
    updates, alive = draw(st.dictionaries(IDS, SKUS)), draw(st.dictionaries(IDS, SKUS))
    bad = draw(st.lists(st.one_of(st.none(), IDS)))
    snapshot = Snapshot(
        cells={Cell(*key): remembered({1: 1}, sku=sku) for key, sku in cells.items()},
        products={product_id: known(sku) for product_id, sku in entries.items()},
        quarantine={(product_id, "1"): _quarantined(product_id) for product_id in draw(st.sets(IDS))},
    )
    return Slice(
        reading(
            *(product(product_id, sku=sku) for product_id, sku in read.items()),
            bad=[BadRow(product_id, 1, "$", "bad", NOW) for product_id in bad],
        ),
        snapshot,
        Absent(
            {product_id: known(sku) for product_id, sku in updates.items()},
            {product_id: product(product_id, sku=sku) for product_id, sku in alive.items()},
        ),
    )


def _bearers(part: Slice) -> set[tuple[int, str]]:
    named = {(cell.product_id, one.sku) for cell, one in part.snapshot.cells.items() if one.sku}
    for products in (part.reading.products, part.absent.alive, part.snapshot.products, part.absent.updates):
        named |= {(product_id, one.sku) for product_id, one in products.items()}
    return {(product_id, folded(sku)) for product_id, sku in named}


def _rows(part: Slice) -> Counter[object]:
    """Name all that is in a slice."""
    reading, snapshot, absent = part.reading, part.snapshot, part.absent
    rows: list[object] = [("bad", row.product_id) for row in reading.bad_rows]
    for held in (
        reading.products,
        snapshot.cells,
        snapshot.products,
        snapshot.quarantine,
        absent.updates,
        absent.alive,
    ):
        rows += [(id(type(one)), key) for key, one in held.items()]
    return Counter(rows)


@given(_wholes(), st.integers(1, 5), st.booleans())
def test_slices_hold_everything_once(whole: Slice, size: int, by_sku: bool) -> None:
    slices = list(Slices(whole, size, by_sku=by_sku))
    assert sum(map(_rows, slices), Counter()) == _rows(whole)
    at = [{product_id for product_id, _ in _bearers(part)} for part in slices]
    assert sum(map(len, at)) == len(set().union(*at)), "a product with all that is known of it"
    assert by_sku or all(len(ids) <= size for ids in at)


@given(_wholes(), st.integers(1, 5))
def test_products_that_may_share_a_row_are_in_one_slice(whole: Slice, size: int) -> None:
    slices = list(Slices(whole, size, by_sku=True))
    borne = [{sku for _, sku in _bearers(part)} for part in slices]
    assert sum(map(len, borne)) == len({sku for _, sku in _bearers(whole)})


@pytest.mark.parametrize("by_sku", [False, True])
def test_products_that_share_nothing_are_cut_by_number(by_sku: bool) -> None:
    whole = Slice(reading(*(product(number) for number in range(1, 12))), Snapshot(), Absent())
    slices = Slices(whole, 4, by_sku=by_sku)
    assert [list(part.reading.products) for part in slices] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    assert list(slices.rest(2).reading.products) == [9, 10, 11]
