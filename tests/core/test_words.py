"""How values say themselves, to people and in JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D
from math import inf

import pytest
from making import NOW, remembered

from stocksync.core.completeness import spans_of, still_to_read, within
from stocksync.core.desired_state import orphaned_units
from stocksync.core.diff import shut_rows
from stocksync.core.drift import live_text
from stocksync.core.jsonable import dumps, instant, jsonable
from stocksync.core.model import Cell, Change, Kind, Removal, RowLocator, TargetRow, Verdict
from stocksync.core.report import Counts, CycleReport, Outcome, orphaned_by

RIYADH = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(1, "MAIN", "BW-001", D(120), D(118), ()), "BW-001 @ MAIN: 120 → 118"),
        (Change(7, "", "", None, D("1.50"), ()), "7: nothing → 1.5"),
        (Change(7, "X", "", D(5), Removal.DEACTIVATED, ()), "7 @ X: 5 → deactivated"),
    ],
)
def test_a_change_says_itself(change, words):
    assert str(change) == words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "no row"),
        (TargetRow(D(5), True, 2), "2 rows"),
        (TargetRow(D("5.50"), True, 1), "5.5"),
        (TargetRow(D(5), None, 1), "5"),
        (TargetRow(D(5), False, 1), "inactive 5"),
        (TargetRow(None, True, 1), "no number"),
        (TargetRow(None, False, 1), "inactive no number"),
    ],
)
def test_a_row_of_the_target_says_what_stands_there(row, words):
    assert live_text(row) == words


def test_pages_are_spans_and_those_that_were_due_come_first():
    assert spans_of([7, 2, 3, 3, 1, 9, 10]) == ((1, 3), (7, 7), (9, 10))
    assert spans_of([]) == ()
    assert [within(((2, 3), (7, 7)), page) for page in range(1, 9)] == [
        False, True, True, False, False, False, True, False,
    ]  # fmt: skip
    assert still_to_read(((1, 4),), [3, 4, 8]) == ((3, 4),)
    assert still_to_read(((1, 2),), [3, 4, 8]) == ((3, 4), (8, 8))


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


def test_rows_are_shut_that_were_deactivated_or_may_have_been():
    cells = {
        Cell(1, "A"): remembered(acked=Removal.DEACTIVATED, sku="one"),
        Cell(2, "A"): remembered(acked=D(5), intent=Removal.DEACTIVATED, sku="two"),
        Cell(3, "A"): remembered(acked=Removal.DELETED, intent=D(5), sku="three"),
    }
    assert shut_rows(cells) == {("one", "A"), ("two", "A")}


def report(**given):
    return CycleReport(account="main", cycle_id="c", started_at=NOW, **given)


def test_failures_count_until_a_cycle_has_worked():
    after = {outcome: report(outcome=outcome).failures_after(3) for outcome in Outcome}
    assert {outcome for outcome, count in after.items() if count == 0} == {Outcome.DONE, Outcome.HELD}
    failed = {Outcome.FAILED, Outcome.UNAUTHORIZED, Outcome.DEADLINE}
    assert {outcome for outcome, count in after.items() if count == 4} == failed
    assert {count for outcome, count in after.items() if outcome not in failed | {Outcome.DONE, Outcome.HELD}} == {3}


def test_a_credential_is_refused_since_the_first_refusal_and_until_qoyod_answers():
    ended, earlier = NOW + timedelta(minutes=1), NOW - timedelta(hours=1)
    refused = report(outcome=Outcome.UNAUTHORIZED, ended_at=ended)
    assert (refused.unauthorized_since(None), refused.unauthorized_since(earlier)) == (ended, earlier)
    assert report(outcome=Outcome.UNAUTHORIZED).unauthorized_since(None) == NOW
    assert report(outcome=Outcome.FAILED).unauthorized_since(earlier) == earlier
    assert report(outcome=Outcome.DONE, verdict=Verdict.COMPLETE).unauthorized_since(earlier) is None


def test_the_newest_cycle_that_compared_tells_what_is_orphaned():
    idle, newer, older = report(), report(), report()
    idle.orphaned, newer.orphaned, older.orphaned = {"A": D(1)}, {"B": D(2)}, {"C": D(3)}
    newer.counts, older.counts = Counts(read=1), Counts(read=1)
    assert orphaned_by([idle, newer, older]) == {"B": D(2)}
    assert orphaned_by([idle]) == {}


@dataclass
class Held:
    parts: tuple[tuple[int, D], ...]
    until: timedelta


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (Kind.ZERO, "zero"),
        ("text", "text"),
        (D("1E+3"), "1000"),
        (D("2.50"), "2.5"),
        (1.23456789, 1.234568),
        (inf, None),
        (timedelta(milliseconds=1500), 1.5),
        (datetime(2026, 8, 31, 12, tzinfo=UTC), "2026-08-31T12:00:00Z"),
        ({Kind.ZERO: 1, 2: D(3), "x": {1}}, {"zero": 1, "2": "3", "x": [1]}),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        ([(1, D(2))], [[1, "2"]]),
        (RowLocator(1, "A", "MAIN"), {"product_id": 1, "sku": "A", "place": "MAIN"}),
        (
            Held(((3, D("1.50")),), timedelta(seconds=2)),
            {"parts": [{"location": 3, "quantity": "1.5"}], "until": 2.0},
        ),
    ],
)
def test_every_kind_of_value_has_its_form_in_json(value, form):
    assert jsonable(value) == form
    assert json.loads(dumps(value)) == form


def test_a_change_in_json_has_its_kind_and_no_rivals():
    told = jsonable(Change(1, "MAIN", "A", D(5), D(0), ((3, D(0)),), rivals=(RowLocator(2, "a", "MAIN"),)))
    assert told["kind"] == "zero"
    assert "rivals" not in told
    assert (told["before"], told["after"], told["parts"]) == ("5", "0", [{"location": 3, "quantity": "0"}])


def test_what_json_has_no_form_for_is_an_error():
    with pytest.raises(TypeError, match=r"^object has no form in JSON$"):
        jsonable(object())
    with pytest.raises(TypeError, match=r"^tuple cannot be a key in JSON$"):
        jsonable({(1, 2): 3})
    with pytest.raises(TypeError, match=r"^type has no form in JSON$"):
        jsonable(Held)


def test_text_stays_readable_whatever_is_in_it():
    assert dumps({"a": "قهوة"}) == '{"a": "قهوة"}'.encode()
    assert dumps("\ud800") == b'"\\ud800"'
    assert dumps([1], indent=1) == b"[\n 1\n]"


def test_an_instant_is_in_utc_and_has_fractions_only_where_it_has_some():
    assert instant(datetime(2026, 8, 31, 15, tzinfo=RIYADH)) == "2026-08-31T12:00:00Z"
    assert instant(datetime(2026, 8, 31, 12, 0, 0, 250_000)) == "2026-08-31T12:00:00.250000Z"  # noqa: DTZ001
