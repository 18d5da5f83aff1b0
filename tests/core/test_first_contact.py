"""What the live rows say beside the snapshot: first contact, a restored state, and figures read back."""

from decimal import Decimal as D

import pytest
from making import NOW, known, remembered

from stocksync.core.first_contact import contradicted, corrected, forgotten, to_confirm
from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.core.read_back import altered_figure

CELL = Cell(1, "MAIN")
ROW = RowLocator(1, "SKU-1", "MAIN")


def live(quantity, *, active=True, rows=1):
    return TargetRow(None if quantity is None else D(quantity), active, rows)


def test_to_another_target_a_cell_was_read_and_never_written():
    cell = remembered({1: 5}, D(5), intent=D(6), unknown=NOW)._replace(sent=D(7))
    assert forgotten({CELL: cell}) == {CELL: remembered({1: 5}, sku="", unknown=NOW)}


def test_what_was_acknowledged_is_confirmed_and_what_is_open_is_looked_up_anyway():
    cells = {
        CELL: remembered({1: 5}, D(5)),
        Cell(2, "MAIN"): remembered({1: 5}),
        Cell(3, "MAIN"): remembered({1: 5}, D(5), intent=D(6)),
        Cell(4, "MAIN"): remembered({1: 5}, Removal.DEACTIVATED),
    }
    assert to_confirm(cells, {}, by_sku=False) == [ROW, RowLocator(4, "SKU-1", "MAIN")]


@pytest.mark.parametrize(
    ("left", "gone", "asked"),
    [(D(5), None, [1, 2]), (Removal.DEACTIVATED, None, [2]), (D(5), NOW, [2])],
)
def test_a_row_that_was_left_to_another_product_tells_nothing_of_the_one_that_left(left, gone, asked):
    cells = {CELL: remembered({1: 5}, left), Cell(2, "MAIN"): remembered({1: 5}, D(6))}
    products = {1: known(gone_at=gone), 2: known()}
    assert [row.product_id for row in to_confirm(cells, products, by_sku=True)] == asked
    assert [row.product_id for row in to_confirm(cells, products, by_sku=False)] == [1, 2]


def test_one_sku_at_two_places_is_two_rows():
    cells = {CELL: remembered({1: 5}, Removal.DEACTIVATED), Cell(2, "OUTLET"): remembered({1: 5}, D(6))}
    assert len(to_confirm(cells, {}, by_sku=True)) == 2


@pytest.mark.parametrize(
    ("acked", "row", "found"),
    [
        (D(5), live(5), {}),
        (D(5), live(73), {CELL: D(73)}),
        (D(5), live(None), {CELL: None}),
        (D(5), live(5, rows=2), {CELL: None}),
        (D(5), None, {CELL: None}),
        (Removal.DELETED, None, {}),
        (Removal.DELETED, live(5), {CELL: D(5)}),
        (Removal.DEACTIVATED, live(5, active=False), {}),
        (Removal.DEACTIVATED, live(5, active=None), {}),
        (Removal.DEACTIVATED, live(5), {CELL: D(5)}),
        (Removal.DEACTIVATED, None, {CELL: None}),
        (None, live(73), {}),
    ],
)
def test_a_row_contradicts_what_it_acknowledged(acked, row, found):
    cells = {CELL: remembered({1: 5}, acked)}
    assert contradicted([ROW], cells, {} if row is None else {CELL: row}) == found


def test_what_stands_there_becomes_what_was_acknowledged():
    other = Cell(2, "MAIN")
    cells = {CELL: remembered({1: 5}, D(5))._replace(sent=D(6)), other: remembered({1: 7}, D(7))}
    expected = {CELL: remembered({1: 5}, D(73)), other: remembered({1: 7}, D(7))}
    assert corrected(cells, {CELL: D(73)}) == expected


def change(after):
    return Change(1, "MAIN", "SKU-1", D(1), after, ())


@pytest.mark.parametrize(
    ("after", "row", "stands"),
    [
        (D(5), live(5), None),
        (D(-3), live(0), D(0)),
        (D(5), live(5, active=False), None),
        (D(5), live(6, active=False), D(6)),
        (Removal.DELETED, None, None),
        (Removal.DEACTIVATED, None, None),
        (Removal.DEACTIVATED, live(5, active=False), None),
        (Removal.DEACTIVATED, live(5, active=None), None),
        (Removal.DEACTIVATED, live(5), D(5)),
        (Removal.DELETED, live(5), D(5)),
        (Removal.DELETED, live(5, active=False), Removal.DEACTIVATED),
    ],
)
def test_what_was_read_back_is_the_figure_or_what_was_made_of_it(after, row, stands):
    assert altered_figure(change(after), row) == stands


@pytest.mark.parametrize(
    ("after", "row", "words"),
    [
        (D(5), None, "the target took the figure, but no such row is there afterwards"),
        (D(5), live(6, rows=2), "2 rows are there after the figure was written"),
        (D(5), live(None), "the target took the figure, but no number is there afterwards"),
        (Removal.DELETED, live(None), "the target took the figure, but no number is there afterwards"),
    ],
)
def test_what_cannot_be_acknowledged_is_said(after, row, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        altered_figure(change(after), row)
