"""Small decisions to the letter: each of these lines once lived through a mutant of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from making import NOW, known, product, reading, remembered

from stocksync.core import absence
from stocksync.core.completeness import Evidence, Judgement, judge
from stocksync.core.crosscheck import agree
from stocksync.core.desired_state import (
    CLOCK_SKEW,
    DesiredCell,
    DesiredState,
    Rules,
    believable,
    want_gone,
    want_open_intents,
)
from stocksync.core.diff import to_look_up
from stocksync.core.guards import Guard
from stocksync.core.health import Watched, refused_in_words
from stocksync.core.held_plan import (
    Decision,
    HeldChange,
    HeldPlan,
    by_urgency,
    headline,
    largest_falls,
    plan_with,
)
from stocksync.core.look_alike import folded
from stocksync.core.model import Cell, Change, Removal, RowLocator, SnapshotProduct, Verdict
from stocksync.core.policy import LocationMap, Negative, OnRemoved, Policy
from stocksync.core.status import AccountStatus
from stocksync.errors import NotFound

CELL = Cell(1, "1")
PLAIN = Rules(Policy(), LocationMap())


@pytest.mark.parametrize(
    ("page", "judgement"),
    [
        (Evidence(2, nothing=True), Judgement(Verdict.PARTIAL, ("page 1 was not read",))),
        (Evidence(1, nothing=True), Judgement(Verdict.EMPTY, ("Qoyod found nothing",), total=0)),
        (Evidence(1, echo=1, total=0), Judgement(Verdict.EMPTY, ("Qoyod found nothing",), total=0)),
        (
            Evidence(1),
            Judgement(Verdict.INCONSISTENT, ("page 1 holds no rows and no readable pagination",), doubtful=(1,)),
        ),
    ],
)
def test_a_list_without_a_row_is_judged_by_its_first_page(page, judgement):
    assert judge([page]) == judgement


def test_list_and_look_up_agree_on_sku_tracking_and_figures():
    listed = product(1, {1: 5})
    assert agree(listed, product(1, {1: 5}, page=7))
    assert not agree(listed, product(1, {1: 6}))
    assert not agree(listed, product(1, {1: 5}, sku="other"))
    assert not agree(listed, product(1, {1: 5}, tracked=False))
    assert not agree(listed, product(1, {1: 5}, sku="other", tracked=False))


def test_what_was_read_is_remembered_whole():
    read = replace(product(1, {1: 5}, sku="A", page=7), name="Coffee")
    assert absence.entry_of(read) == SnapshotProduct("A", "Coffee", True, 7, 0, None)
    assert absence.products_seen(reading(read), {1: absence.entry_of(read)}) == {}


def test_suspects_that_waited_longest_are_asked_for_first_and_those_asked_in_vain_last():
    missing = {
        1: absence.asked_in_vain(known(missing=9)),
        2: known(missing=absence.SUSPECT_AFTER),
        3: known(missing=absence.SUSPECT_AFTER + 1),
        4: known(missing=absence.SUSPECT_AFTER - 1),
        5: absence.proven_alive(known())._replace(missing=absence.UNLISTED_AFTER - 1),
        6: absence.proven_alive(known())._replace(missing=absence.UNLISTED_AFTER),
    }
    assert absence.suspects(missing) == [6, 3, 2, 1]


def test_a_witness_is_known_and_was_read():
    assert absence.witnesses_for(reading(product(2), product(3)), {1: known(), 3: known()}) == [3]


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


def test_rows_are_looked_up_by_what_finds_them():
    wants = [DesiredCell(CELL, "A", (), D(5)), DesiredCell(Cell(2, "1"), "B", (), D(5))]
    memory = {Cell(2, "1"): remembered({1: 5}, D(5))}
    assert to_look_up(wants, memory) == [RowLocator(1, "A", "1")]


STATUS = AccountStatus(
    "main", "", 0, None, None, None, None, None, 0, (), None, (), 0, 0, None, cells=1000, products=500, audit=None
)
WATCHED = Watched("main", timedelta(minutes=15), timedelta(minutes=10))


@pytest.mark.parametrize(
    ("complete", "word"),
    [(None, "never complete"), (timedelta(hours=-2), "stale"), (timedelta(hours=2), "stale"), (timedelta(0), "fresh")],
)
def test_an_unwell_account_has_its_word(complete, word):
    at = None if complete is None else NOW - complete
    health = WATCHED.health(replace(STATUS, last_complete=at, last_attempt=at), NOW)
    assert (health.account, health.word, health.lag, health.limit) == ("main", word, complete, WATCHED.limit)


def test_what_is_refused_has_a_reason_where_one_is_known():
    assert refused_in_words(999, 1000, "") == "999 of 1,000 cells refused"
    assert refused_in_words(1, 1, "no") == "1 of 1 cell refused: no"


def plan(*changes, plan_id="7f3a", guards=(Guard.ZEROED,), **given):
    held = tuple(HeldChange(change, guards) for change in changes)
    return HeldPlan("main", plan_id, NOW, {guards[0]: "why"}, held, **given)


def change(number, before, after):
    return Change(number, "1", "A", before, after, ())


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (plan(), "nothing would change"),
        (plan(change(1, D(1), D(0))), "1 figure would go to 0 (1 unit)"),
        (plan(change(1, D(2), D(0))), "1 figure would go to 0 (2 units)"),
        (plan(change(1, D(1), Removal.DELETED)), "1 row would be removed (1 unit)"),
        (plan(change(1, D(1), D(2)), change(2, D(1), D(2))), "2 figures would change"),
        (plan(change(1, D(1), D(2)), cause="heal"), "1 figure would be put back"),
    ],
)
def test_a_plan_says_what_it_would_do(held, words):
    assert headline(held) == words


def test_what_falls_most_comes_first_and_what_does_not_fall_not_at_all():
    half, same, new = change(1, D("1.5"), D(1)), change(2, D(3), D(3)), change(3, None, D(1))
    assert largest_falls(plan(new, same, half), 5) == [half]


def test_a_plan_is_found_by_the_beginning_of_its_id_and_its_parts_come_together():
    parts = [plan(change(2, D(1), D(0))), plan(change(1, D(9), D(2)), guards=(Guard.CHANGED,)), plan(plan_id="7f3b")]
    found = plan_with(parts, "7f3a")
    assert [held.change.product_id for held in found.changes] == [1, 2]
    assert found.reasons == {Guard.ZEROED: "why", Guard.CHANGED: "why"}
    assert plan_with(parts[2:], "7").plan_id == "7f3b"
    with pytest.raises(NotFound, match=r"^several plans begin with 7f: 7f3a, 7f3b$"):
        plan_with(parts, "7f")
    with pytest.raises(NotFound, match=r"^no plan 8 is held"):
        plan_with(parts, "8")
    exact = [plan(plan_id="7f"), *parts]
    assert plan_with(exact, "7f").plan_id == "7f"


def test_plans_that_wait_come_before_those_that_are_decided():
    healing, rejected = plan(cause="heal"), plan(decision=Decision.REJECTED)
    approved, polled = plan(decision=Decision.APPROVED), plan()
    later = replace(polled, created_at=NOW + timedelta(minutes=1))
    given = [rejected, approved, healing, later, polled]
    assert by_urgency(given) == [polled, later, healing, approved, rejected]


def test_look_alikes_fold_numbers_and_leave_words_alone():
    assert folded("007") == folded("7")
    assert folded("000") == folded("0")
    assert folded("0x7") != folded("x7")
