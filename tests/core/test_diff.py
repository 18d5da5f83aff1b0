"""Differences: what is written, and above all what is not."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import NOW, known, product, remembered

from stocksync.core.desired_state import DesiredCell, Rules, desires_of, want_gone, want_open_intents, yield_skus
from stocksync.core.diff import DiffContext, diff, shut_rows, to_look_up, waits
from stocksync.core.model import Cell, Kind, Removal, RowLocator, TargetRow
from stocksync.core.policy import LocationMap, Negative, Policy, Rounding

PLAIN = Rules(Policy(), LocationMap())


def compare(make, desires, memory, live=None, quarantine=None, **terms):
    terms = {"by_sku": False, "creates": True, "now": make.now} | terms
    return diff(desires.wants.values(), memory, live or {}, quarantine or {}, DiffContext(**terms))


def test_a_figure_that_moved_is_one_change(make):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5))}
    desires = desires_of([make.product(1, {3: 7})], memory, PLAIN)
    (change,) = compare(make, desires, memory).changes
    assert (change.before, change.after, change.kind) == (D(5), D(7), Kind.UPDATE)
    assert desires.fresh[Cell(1, "3")][0] == ((3, D(7)),)


def test_the_same_figure_in_another_notation_is_no_change(make):
    memory = {Cell(1, "3"): make.remembered({3: "5"}, D(5))}
    desires = desires_of([make.product(1, {3: "5.000"})], memory, PLAIN)
    assert compare(make, desires, memory).changes == []
    assert desires.fresh == {}


def test_of_two_requests_that_were_under_way_at_once_the_one_recorded_first_stands(make):
    cell, second = Cell(1, "3"), timedelta(seconds=1)
    first = replace(make.product(1, {3: 5}), received_at=make.now + 2 * second)
    overlapping = replace(make.product(1, {3: 9}, read_at=make.now + second), received_at=make.now + 3 * second)
    parts, at = desires_of([first], {}, PLAIN).fresh[cell]
    assert at == make.now + 2 * second
    memory = {cell: make.remembered(dict(parts), D(5), source_at=at)}
    desires = desires_of([overlapping], memory, PLAIN)
    assert (desires.fresh, desires.outdated) == ({}, {1})
    assert compare(make, desires, memory).changes == []


def test_an_older_figure_never_replaces_a_newer_one(make):
    memory = {Cell(1, "3"): make.remembered({3: 4}, D(4), source_at=make.now + timedelta(seconds=5))}
    desires = desires_of([make.product(1, {3: 5})], memory, PLAIN)
    assert compare(make, desires, memory).changes == []
    assert desires.fresh == {}


def test_an_open_intent_is_written_again_though_nothing_differs(make):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5), intent=D(73))}
    desires = desires_of([make.product(1, {3: 5})], memory, PLAIN)
    want_open_intents(memory, {}, {1}, PLAIN, desires)
    (change,) = compare(make, desires, memory, {Cell(1, "3"): TargetRow(D(73), None, 1)}).changes
    assert (change.before, change.after, change.cause) == (D(73), D(5), "repeat")


def test_first_contact_adopts_what_is_right_and_takes_the_rest_as_before(make):
    desires = desires_of([make.product(1, {3: 5}), make.product(2, {3: 5})], {}, PLAIN)
    live = {Cell(1, "3"): TargetRow(D(5), True, 1), Cell(2, "3"): TargetRow(D(9), True, 1)}
    found = compare(make, desires, {}, live)
    assert list(found.adopted) == [Cell(1, "3")]
    assert found.changes[0].before == 9


def test_rows_the_target_does_not_know_are_skipped_where_it_creates_none(make):
    desires = desires_of([make.product(1, {3: 5})], {}, PLAIN)
    found = compare(make, desires, {}, creates=False)
    assert (found.skipped, found.changes) == ([make.cell(1, "3")], [])


def test_a_renamed_sku_moves_to_its_new_row_where_rows_are_found_by_sku(make):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5), sku="OLD")}
    desires = desires_of([make.product(1, {3: 5}, sku="NEW")], memory, PLAIN)
    assert compare(make, desires, memory).changes == []
    (change,) = compare(make, desires, memory, by_sku=True).changes
    assert (change.sku, change.cause) == ("NEW", "renamed")


def test_rejected_decimals_are_set_aside_and_others_flow(make):
    rules = Rules(Policy(scale=0, rounding=Rounding.REJECT), LocationMap())
    desires = desires_of([make.product(1, {3: "1.5"}), make.product(2, {3: 2})], {}, rules)
    found = compare(make, desires, {})
    assert [change.product_id for change, _ in found.refused] == [1]
    assert [change.product_id for change in found.changes] == [2]


def test_a_row_is_shut_for_the_second_gone_product_though_it_was_for_the_first(make):
    memory = {
        Cell(1, "3"): make.remembered({3: 5}, Removal.DEACTIVATED, sku="P"),
        Cell(2, "3"): make.remembered({3: 5}, D(5), sku="P"),
    }
    known = {n: make.known("P", gone_at=make.now) for n in (1, 2)}
    desires = desires_of([], memory, PLAIN)
    want_gone(known, memory, PLAIN, desires)
    yield_skus(desires, [], known, memory)
    assert [change.product_id for change in compare(make, desires, memory, by_sku=True).changes] == [2]


def test_two_live_products_with_one_sku_are_both_set_aside(make):
    products = [make.product(n, {3: n}, sku="P") for n in (1, 2)]
    desires = desires_of(products, {}, PLAIN)
    yield_skus(desires, products, {}, {})
    assert [change.product_id for change, _ in compare(make, desires, {}, by_sku=True).refused] == [1, 2]


def test_of_thousands_with_one_sku_some_are_named_and_the_others_counted(make):
    products = [make.product(n, {3: n}, sku="") for n in range(1, 4001)]
    desires = desires_of(products, {}, PLAIN)
    yield_skus(desires, products, {}, {})
    reasons = {reason for _, reason in compare(make, desires, {}, by_sku=True).refused}
    assert reasons == {"products 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3990 more bear the SKU ''"}


def test_only_uncertain_cells_are_looked_up(make):
    memory = {
        Cell(1, "3"): make.remembered({3: 5}, D(5)),
        Cell(2, "3"): make.remembered({3: 5}, D(5), intent=D(6)),
        Cell(3, "3"): make.remembered({3: 5}),
    }
    desires = desires_of([make.product(n, {3: 5}) for n in (1, 2, 3, 4)], memory, PLAIN)
    assert [ref.product_id for ref in to_look_up(desires.wants.values(), memory)] == [2, 3, 4]


FIGURES = st.dictionaries(st.integers(1, 4), st.integers(-5, 20).map(D), max_size=4)


@given(st.lists(st.tuples(FIGURES, st.booleans()), max_size=6), st.lists(FIGURES, max_size=6))
def test_no_figure_is_wanted_that_was_not_shown(shown, before):
    products = [product(n, stock, tracked=tracked) for n, (stock, tracked) in enumerate(shown)]
    memory = {
        Cell(n, str(location)): remembered({location: quantity}, quantity)
        for n, stock in enumerate(before)
        for location, quantity in stock.items()
    }
    desires = desires_of(products, memory, PLAIN)
    found = diff(desires.wants.values(), memory, {}, {}, DiffContext(by_sku=False, creates=True, now=NOW))
    truth = {(p.id, str(location)): quantity for p in products for location, quantity in p.stock.items() if p.tracked}
    assert all(truth[change.cell] == change.after for change in found.changes)
    assert len(desires.wants) == len(found.changes) + found.unchanged


@dataclass(frozen=True)
class Entry:
    last_at: datetime
    retry_at: datetime
    figure: D | None = None


@pytest.mark.parametrize(
    ("last", "retry", "waiting"),
    [
        (-60, 1, True),
        (-60, 0, False),
        (-60, -1, False),
        (0, 0, False),
        (60, 61, True),  # another machine's clock is a little ahead
        (60, 60, False),
        (120, 121, True),
        (121, 3600, False),  # set aside in the future, by a wrong clock
    ],
)
def test_what_is_set_aside_waits_for_its_time_but_not_for_a_wrong_clock(last, retry, waiting):
    seconds = (timedelta(seconds=last), timedelta(seconds=retry))
    assert waits(Entry(NOW + seconds[0], NOW + seconds[1]), NOW) is waiting


@pytest.mark.parametrize("acked", [None, D(5)])
@pytest.mark.parametrize("live", [None, TargetRow(D(7), None, 1)])
def test_a_write_that_was_begun_is_repeated_and_never_taken_for_first_contact(make, acked, live):
    """Its intent stays open until it is acknowledged, whatever stands there and whoever makes the rows."""
    cell = Cell(1, "3")
    memory = {cell: make.remembered({3: 7}, acked, intent=D(7))}
    desires = desires_of([make.product(1, {3: 7})], memory, PLAIN)
    found = compare(make, desires, memory, {} if live is None else {cell: live}, creates=False)
    assert ([change.after for change in found.changes], found.adopted, found.skipped) == ([D(7)], {}, [])


def test_every_want_is_in_exactly_one_column(make):
    """Two rows that are right, one that waits, one whose time has come, one with another figure, one skipped."""
    figures = {number: D(number) for number in range(1, 8)}
    desires = desires_of([make.product(number, {3: figure}) for number, figure in figures.items()], {}, PLAIN)
    live = {Cell(number, "3"): TargetRow(D(number), None, 1) for number in (1, 2)}
    live |= {Cell(number, "3"): TargetRow(D(99), None, 1) for number in (3, 4, 5, 6)}
    later, past = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
    quarantine = {
        (3, "3"): Entry(past, later, D(3)),
        (4, "3"): Entry(past, past, D(4)),
        (5, "3"): Entry(past, later, D(55)),
    }
    found = compare(make, desires, {}, live, quarantine, creates=False)
    assert found.adopted == {Cell(1, "3"): (D(1), "SKU-1"), Cell(2, "3"): (D(2), "SKU-2")}
    assert (found.unchanged, found.waiting, found.skipped) == (2, [Cell(3, "3")], [Cell(7, "3")])
    assert [(one.product_id, one.before, one.after, one.cause) for one in found.changes] == [
        (number, D(99), D(number), "poll") for number in (4, 5, 6)
    ]
    assert (found.refused, found.negative) == ([], [])


def test_what_is_settled_is_counted_and_what_comes_from_others_rows_goes_along(make):
    memory = {Cell(number, "3"): make.remembered({3: number}, D(number)) for number in (1, 2)}
    memory[Cell(3, "3")] = make.remembered({3: 3}, D(9))
    desires = desires_of([make.product(number, {3: number}) for number in (1, 2, 3)], {}, PLAIN)
    rivals = {3: (RowLocator(8, "sku-3", ""),)}
    found = compare(make, desires, memory, {Cell(3, "3"): TargetRow(D(3), None, 1)}, rivals=rivals)
    assert (found.unchanged, found.adopted) == (2, {})
    (change,) = found.changes
    assert (change.parts, change.before, change.cause) == (((3, D(3)),), D(9), "poll")
    assert change.rivals == (RowLocator(8, "sku-3", "3"),)


def test_what_cannot_be_shown_or_is_below_zero_is_no_change_that_flows(make):
    rules = Rules(Policy(negative=Negative.HOLD), LocationMap())
    desires = desires_of([make.product(1, {3: 5}), make.product(2, {3: -5})], {}, rules)
    live = {Cell(1, "3"): TargetRow(None, None, 1, unreadable="no such cast")}
    found = compare(make, desires, {}, live)
    assert [(change.product_id, why) for change, why in found.refused] == [(1, "no such cast")]
    assert ([change.product_id for change in found.negative], found.changes) == ([2], [])
    whole = Rules(Policy(scale=0, rounding=Rounding.REJECT), LocationMap())
    found = compare(make, desires_of([make.product(1, {3: "0.5"})], {}, whole), {})
    ((_, why),) = found.refused
    assert "more decimals" in why


@pytest.mark.parametrize(
    ("row", "shut", "before"),
    [
        ((True, None, None), False, D(4)),
        ((False, None, None), False, D(4)),  # a person's doing: it stays asleep
        ((False, None, None), True, Removal.DEACTIVATED),  # ours, for the product that bore the SKU before
        ((True, None, None), True, D(4)),
        ((None, None, None), True, D(4)),
        ((False, None, Removal.DEACTIVATED), False, Removal.DEACTIVATED),
        ((False, Removal.DEACTIVATED, D(5)), False, Removal.DEACTIVATED),
        ((False, D(6), D(5)), False, D(4)),
        ((False, D(6), D(5)), True, Removal.DEACTIVATED),
        ((True, Removal.DEACTIVATED, D(5)), False, D(4)),
    ],
)
def test_what_stood_there_before_is_told_by_the_row_and_by_whose_doing_it_is(make, row, shut, before):
    active, acked, intent = row
    cell = Cell(1, "3")
    begun = acked is not None or intent is not None
    memory = {cell: make.remembered({3: 5}, acked, intent=intent)} if begun else {}
    desires = desires_of([make.product(1, {3: 5})], memory, PLAIN)
    rows = frozenset({("SKU-1", "3")} if shut else ())
    (change,) = compare(make, desires, memory, {cell: TargetRow(D(4), active, 1)}, by_sku=True, shut=rows).changes
    assert change.before == before


def test_the_rows_that_we_put_to_sleep_are_known_by_sku_and_place(make):
    memory = {
        Cell(1, "3"): make.remembered({3: 1}, Removal.DEACTIVATED, sku="A"),
        Cell(2, "7"): make.remembered({7: 1}, D(1), intent=Removal.DEACTIVATED, sku="B"),
        Cell(3, "3"): make.remembered({3: 1}, D(1), sku="C"),
        Cell(4, "3"): make.remembered({3: 1}, Removal.DELETED, sku="D"),
    }
    assert shut_rows(memory) == {("A", "3"), ("B", "7")}


def test_a_cell_is_renamed_where_rows_are_found_by_sku_and_its_sku_is_another(make):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5), sku="SKU-1")}
    for by_sku, sku, causes in ((True, "SKU-1", []), (True, "NEW", ["renamed"]), (False, "NEW", [])):
        desires = desires_of([make.product(1, {3: 5}, sku=sku)], {}, PLAIN)
        assert [change.cause for change in compare(make, desires, memory, by_sku=by_sku).changes] == causes
    sold = desires_of([make.product(1, {3: 4})], {}, PLAIN)
    assert [change.cause for change in compare(make, sold, memory, by_sku=True).changes] == ["poll"]
    named = desires_of([make.product(1, {3: 4}, sku="NEW")], {}, PLAIN)
    assert [change.cause for change in compare(make, named, memory, by_sku=False).changes] == ["poll"]


def test_rows_are_shut_that_were_deactivated_or_may_have_been():
    cells = {
        Cell(1, "A"): remembered(acked=Removal.DEACTIVATED, sku="one"),
        Cell(2, "A"): remembered(acked=D(5), intent=Removal.DEACTIVATED, sku="two"),
        Cell(3, "A"): remembered(acked=Removal.DELETED, intent=D(5), sku="three"),
    }
    assert shut_rows(cells) == {("one", "A"), ("two", "A")}


def test_a_row_that_was_never_acknowledged_is_shut_under_its_products_sku():
    # World 440247 of the simulation: two processes died amid it, and the next product of that SKU was not for sale.
    cells = {Cell(9, "A"): remembered(intent=Removal.DEACTIVATED, sku="")}
    assert shut_rows(cells, {9: known(sku="NEW")}) == {("NEW", "A")}


CELL = Cell(1, "1")


def test_rows_are_looked_up_by_what_finds_them():
    wants = [DesiredCell(CELL, "A", (), D(5)), DesiredCell(Cell(2, "1"), "B", (), D(5))]
    memory = {Cell(2, "1"): remembered({1: 5}, D(5))}
    assert to_look_up(wants, memory) == [RowLocator(1, "A", "1")]
