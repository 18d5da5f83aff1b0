"""What each cell should hold, and above all what is not known of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from making import NOW, known, remembered

from stocksync.core.desired_state import (
    CLOCK_SKEW,
    DesiredCell,
    DesiredState,
    Rules,
    believable,
    contested_skus,
    desires_of,
    figure_now,
    give_up_refused,
    is_derived,
    orphaned_units,
    want_gone,
    want_open_intents,
    yield_skus,
)
from stocksync.core.model import Cell, Removal
from stocksync.core.policy import LocationMap, Negative, OnRemoved, Policy, Unmapped

PLAIN = Rules(Policy(), LocationMap())


SUMMED = Rules(Policy(), LocationMap({3: "x", 7: "x"}, summed=True))


@pytest.mark.parametrize("shown", [{}, {4: 9}])
def test_a_location_that_is_no_longer_shown_is_unknown_not_zero(make, shown):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5))}
    desires = desires_of([make.product(1, shown)], memory, PLAIN)
    assert desires.unknown == [Cell(1, "3")]
    assert Cell(1, "3") not in desires.wants


def test_a_sum_that_lost_a_part_is_unknown(make):
    memory = {Cell(1, ""): make.remembered({3: 5, 7: 2}, D(7))}
    desires = desires_of([make.product(1, {3: 5})], memory, SUMMED)
    assert desires.unknown == [Cell(1, "")]
    assert desires.wants == {}


def test_a_part_that_the_map_no_longer_feeds_is_not_waited_for(make):
    memory = {Cell(1, ""): make.remembered({3: 5, 9: 2}, D(7))}
    desires = desires_of([make.product(1, {3: 5})], memory, SUMMED)
    assert desires.wants[Cell(1, "")].figure == 5


def test_two_locations_on_one_place_are_summed(make):
    rules = Rules(Policy(), LocationMap({3: "MAIN", 7: "MAIN"}))
    desires = desires_of([make.product(1, {3: 5, 7: "2.5"})], {}, rules)
    assert desires.wants[Cell(1, "MAIN")].figure == D("7.5")


def test_unmapped_locations_are_counted_and_not_written(make):
    ignoring = Rules(Policy(), LocationMap({3: "MAIN"}, Unmapped.IGNORE))
    holding = Rules(Policy(), LocationMap({3: "MAIN"}, Unmapped.HOLD))
    assert desires_of([make.product(1, {3: 1, 4: 1})], {}, ignoring).unmapped == {1: 1}
    assert desires_of([make.product(1, {3: 1, 4: 1})], {}, holding).unmapped_held == {1: 1}


def test_an_open_intent_of_a_product_nobody_read_is_written_with_the_newest_figure(make):
    memory = {Cell(1, "3"): make.remembered({3: 6}, D(5), intent=D(5))}
    desires = desires_of([], memory, PLAIN)
    want_open_intents(memory, {1: make.known()}, set(), PLAIN, desires)
    assert desires.wants[Cell(1, "3")].figure == 6


@pytest.mark.parametrize(
    ("rule", "figure"), [(OnRemoved.ZERO, D(0)), (OnRemoved.DEACTIVATE, Removal.DEACTIVATED), (OnRemoved.KEEP, None)]
)
def test_a_product_that_is_no_longer_tracked_follows_its_rule(make, rule, figure):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5))}
    desires = desires_of([make.product(1, tracked=False)], memory, Rules(Policy(on_untracked=rule), LocationMap()))
    assert desires.wants[Cell(1, "3")].figure == figure if figure is not None else not desires.wants


def test_a_product_that_was_never_tracked_has_no_cells(make):
    desires = desires_of(
        [make.product(1, tracked=False)], {}, Rules(Policy(on_untracked=OnRemoved.ZERO), LocationMap())
    )
    assert not desires.wants


def test_a_gone_product_is_deactivated_and_one_that_never_was_written_is_not(make):
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5)), Cell(2, "3"): make.remembered({3: 5})}
    desires = desires_of([], memory, PLAIN)
    want_gone({1: make.known(), 2: make.known()}, memory, PLAIN, desires)
    assert list(desires.wants) == [Cell(1, "3")]
    assert desires.unmanaged == [Cell(2, "3")]


def test_a_removal_that_was_begun_is_not_repeated_for_a_product_that_is_tracked_again(make):
    memory = {Cell(1, "3"): make.remembered({3: 6}, D(6), intent=Removal.DEACTIVATED)}
    desires = desires_of([make.product(1, {})], memory, PLAIN)
    want_open_intents(memory, {1: make.known(tracked=False)}, {1}, PLAIN, desires)
    assert desires.wants[Cell(1, "3")].figure == 6


def test_the_zero_of_a_gone_product_is_repeated_and_not_its_last_figure(make):
    memory = {Cell(1, "3"): make.remembered({3: 41}, D(41), intent=D(0))}
    desires = desires_of([], memory, PLAIN)
    want_open_intents(memory, {1: make.known(gone_at=make.now)}, set(), PLAIN, desires)
    assert desires.wants[Cell(1, "3")].figure == 0


def test_what_a_retired_product_should_hold_is_what_was_acknowledged(make):
    remembered = make.remembered({3: 41}, D(0))
    assert figure_now(remembered, Policy()) == 41
    assert figure_now(remembered, Policy(), make.known(gone_at=make.now)) == 0


def test_a_gone_product_leaves_the_row_to_the_one_that_bears_its_sku_now(make):
    memory = {Cell(2, "3"): make.remembered({3: 5}, D(5), sku="P")}
    reborn = make.product(4, {3: 33}, sku="P")
    known = {2: make.known("P", gone_at=make.now), 4: make.known("P")}
    desires = desires_of([reborn], memory, PLAIN)
    want_gone({2: known[2]}, memory, PLAIN, desires)
    yield_skus(desires, [reborn], known, memory)
    assert list(desires.wants) == [Cell(4, "3")]
    assert desires.unmanaged == [Cell(2, "3")]


def test_what_is_only_repeated_yields_the_row_to_the_product_that_bears_the_sku_now(make):
    memory = {Cell(2, "3"): make.remembered({3: 11}, D(271), intent=D(11), sku="P")}
    reborn = make.product(4, {3: 5}, sku="P")
    desires = desires_of([reborn], memory, PLAIN)
    want_open_intents(memory, {2: make.known("P")}, {4}, PLAIN, desires)
    yield_skus(desires, [reborn], {2: make.known("P")}, memory)
    assert list(desires.wants) == [Cell(4, "3")]


def test_a_row_that_two_gone_products_bore_is_shut_once(make):
    memory = {Cell(n, "3"): make.remembered({3: 5}, D(5), sku="P") for n in (1, 2)}
    known = {n: make.known("P", gone_at=make.now) for n in (1, 2)}
    desires = desires_of([], memory, PLAIN)
    want_gone(known, memory, PLAIN, desires)
    yield_skus(desires, [], known, memory)
    assert len(desires.wants) == len(desires.unmanaged) == 1


def test_a_sku_is_judged_by_the_newest_that_is_known_of_each_product(make):
    known = {1: make.known("P"), 2: make.known("OTHER"), 5: make.known("P", gone_at=make.now)}
    product = make.product(3, {3: 7}, sku="P")
    assert contested_skus([product], known) == {"P": (1, 3)}
    assert contested_skus([product, make.product(1, {3: 5}, sku="NEW")], known) == {}
    assert contested_skus([product, make.product(1, tracked=False, sku="P")], known) == {}
    assert contested_skus([product, make.product(2, {3: 5}, sku="P")], known) == {"P": (1, 2, 3)}


def test_a_figure_read_under_a_clock_that_was_ahead_does_not_win_for_as_long(make):
    memory = {Cell(1, "3"): make.remembered({3: 11}, D(11), source_at=make.now + timedelta(days=1))}
    desires = desires_of([make.product(1, {3: 5})], believable(memory, make.now), PLAIN)
    assert desires.wants[Cell(1, "3")].figure == 5


def test_a_location_whose_id_is_the_name_of_another_place_waits_for_a_person(make):
    rules = Rules(Policy(), LocationMap({1: "3"}))
    desires = desires_of([make.product(1, {1: 11, 3: 13})], {}, rules)
    assert desires.wants[Cell(1, "3")].figure == 11
    assert desires.unmapped_held == {1: 1}


def test_once_compared_only_wants_of_which_more_is_to_be_told_are_kept(make):
    open_one, unknown = make.remembered({3: 5}, D(5), intent=D(6)), make.remembered({3: 5}, D(5), unknown=NOW)
    memory = {Cell(1, "3"): make.remembered({3: 5}, D(5)), Cell(2, "3"): open_one, Cell(3, "3"): unknown}
    rules = Rules(Policy(negative=Negative.ZERO), LocationMap())
    figures = {1: 7, 2: 7, 3: 7, 4: -1, 5: 7}
    desires = desires_of([make.product(key, {3: figure}) for key, figure in figures.items()], memory, rules)
    desires.compared(memory)
    assert set(desires.wants) == {Cell(2, "3"), Cell(3, "3"), Cell(4, "3")}
    assert desires.wanted == dict.fromkeys(figures, 1)


def test_what_was_derived_of_several_parts_of_a_catalogue_adds_up(make):
    rules = Rules(Policy(), LocationMap({3: "x"}, unmapped=Unmapped.IGNORE))
    both = DesiredState()
    for key in (1, 2):
        both.add(desires_of([make.product(key, {3: key, 9: 4})], {}, rules))
    whole = desires_of([make.product(key, {3: key, 9: 4}) for key in (1, 2)], {}, rules)
    assert both == whole
    assert both.unmapped == {1: 1, 2: 1}


def test_a_refused_repeat_of_what_has_ended_is_given_up_and_nothing_else(make):
    ended, fed, fresh = Cell(1, "3"), Cell(2, "3"), Cell(3, "3")
    memory = {cell: make.remembered({3: 5}, D(5), intent=D(6)) for cell in (ended, fed)}
    memory[Cell(4, "old")] = make.remembered({3: 5}, D(5), intent=D(6))
    desires = DesiredState()
    want_open_intents(memory, {1: make.known(gone_at=NOW)}, (), PLAIN, desires)
    assert set(desires.wants) == set(memory)
    desires.wants |= desires_of([make.product(3, {3: 7})], {}, PLAIN).wants
    give_up_refused([ended, fed, fresh, Cell(4, "old"), Cell(5, "3")], {1, 3}, memory, PLAIN, desires)
    assert set(desires.wants) == {fed, fresh}
    assert sorted(desires.given_up) == sorted(desires.unmanaged) == [ended, Cell(4, "old")]


def test_a_figure_is_derived_where_it_is_qoyod_s_or_a_rule_s(make):
    rules = Policy(buffer=2)
    seen = make.remembered({3: 9}, D(7))
    assert is_derived(D(7), seen, rules)
    assert not is_derived(D(9), seen, rules)
    assert is_derived(D(0), seen, rules), "a zero is a rule's"
    assert is_derived(Removal.DELETED, seen, rules)
    assert is_derived(D(9), make.remembered({}, D(9)), rules), "nothing was read that could say otherwise"


def test_what_no_location_feeds_is_summed_place_by_place():
    cells = {
        Cell(1, "OLD"): remembered(acked=D(5)),
        Cell(2, "OLD"): remembered(acked=D("2.5")),
        Cell(3, "OLD"): remembered(acked=D(0)),
        Cell(4, "ATTIC"): remembered(acked=Removal.DEACTIVATED),
        Cell(5, "SHED"): remembered(acked=D(1)),
        Cell(6, "SHED"): remembered(acked=D(9)),
    }
    assert orphaned_units([cell for cell in cells if cell.product_id < 6], cells) == {"OLD": D("7.5"), "SHED": D(1)}


CELL = Cell(1, "1")


def test_a_figure_read_in_the_future_is_older_than_any():
    late, apart = NOW + CLOCK_SKEW, timedelta(seconds=1)
    cells = {CELL: remembered({1: 5}, source_at=late), Cell(2, "1"): remembered({1: 5}, source_at=NOW)}
    assert believable(cells, NOW) is cells
    wrong = {**cells, CELL: remembered({1: 5}, source_at=late + apart)}
    found = believable(wrong, NOW)
    assert found[CELL].source_at == datetime.min.replace(tzinfo=UTC)
    assert found[Cell(2, "1")] == cells[Cell(2, "1")]


def repeated(cell=CELL, intent=D(6), acked=D(5), parts=None, *, products=None, alive=(), rules=PLAIN, **given):
    desires = DesiredState(**given)
    memory = {cell: remembered({1: 7} if parts is None else parts, acked, intent=intent, sku="OLD")}
    want_open_intents(memory, products or {}, alive, rules, desires)
    return desires


def test_an_open_intent_is_worked_out_anew_from_what_was_read():
    wants = repeated(products={1: known("NEW")}, alive={1}).wants
    assert wants == {CELL: DesiredCell(CELL, "NEW", ((1, D(7)),), D(7), "repeat")}
    assert repeated(alive={1}).wants[CELL].sku == "OLD"


def test_an_open_intent_keeps_what_the_policy_says_of_its_figure():
    held = repeated(parts={1: -2}, alive={1}, rules=Rules(Policy(negative=Negative.HOLD), LocationMap())).wants[CELL]
    assert (held.figure, held.held) == (D(-2), True)


def test_a_removal_that_was_begun_is_repeated_as_it_was():
    wants = repeated(intent=Removal.DEACTIVATED, products={1: known("NEW", gone_at=NOW)}).wants
    assert wants == {CELL: DesiredCell(CELL, "NEW", ((1, D(7)),), Removal.DEACTIVATED, "repeat")}
    assert repeated(intent=Removal.DEACTIVATED, alive={1}).wants[CELL].figure == D(7)


def test_a_place_that_nothing_feeds_any_more_repeats_what_was_begun():
    rules = Rules(Policy(), LocationMap({1: "MAIN"}))
    assert repeated(alive={1}, rules=rules).wants[CELL].figure == D(6)


def test_what_has_an_open_intent_is_neither_unknown_nor_unmanaged():
    other = Cell(9, "1")
    desires = repeated(alive={1}, unknown=[CELL, other], unmanaged=[CELL, other])
    assert (desires.unknown, desires.unmanaged) == ([other], [other])


def test_a_product_that_is_gone_leaves_under_the_sku_of_its_row():
    rules = Rules(Policy(on_deleted=OnRemoved.ZERO), LocationMap())
    cells = {CELL: remembered({1: 5}, D(5), sku="ROW"), Cell(2, "1"): remembered({1: 5}, D(5), sku="")}
    gone = {1: known("LATER", gone_at=NOW), 2: known("LATER", gone_at=NOW)}
    desires = DesiredState()
    want_gone(gone, cells, rules, desires)
    assert {cell.product_id: (want.sku, want.cause) for cell, want in desires.wants.items()} == {
        1: ("ROW", "deleted"),
        2: ("LATER", "deleted"),
    }
