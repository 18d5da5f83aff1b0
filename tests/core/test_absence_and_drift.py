"""Silence is not evidence, and each difference has one cause."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import product, reading

from stocksync.core import absence
from stocksync.core.crosscheck import Check, sample, verdict_on
from stocksync.core.drift import AuditedCell, Cause, cause_of, units_between
from stocksync.core.model import BadRow, Cell, Removal, TargetRow, Verdict
from stocksync.core.report import Counts
from stocksync.errors import InvariantBroken


@pytest.mark.parametrize("verdict", [Verdict.PARTIAL, Verdict.INCONSISTENT])
def test_a_reading_that_is_not_complete_proves_no_absence(make, verdict):
    missing = absence.missing_from(make.reading(verdict=verdict), {1: make.known(missing=1)})
    assert absence.suspects(missing) == []


def test_two_complete_readings_make_a_suspect_and_no_more(make):
    once = absence.missing_from(make.reading(), {1: make.known()})
    twice = absence.missing_from(make.reading(), once)
    assert absence.suspects(once) == []
    assert absence.suspects(twice) == [1]


def test_who_is_gone_is_told_by_the_last_word(make):
    here, gone = make.known(), make.known(gone_at=make.now)
    known = {1: gone, 2: here, 3: gone, 4: here}
    assert absence.gone(known, {2: gone}, {3: here, 5: gone}) == {1: gone, 2: gone, 5: gone}
    assert absence.gone(known) == {1: gone, 3: gone}
    assert known == {1: gone, 2: here, 3: gone, 4: here}


def test_a_row_that_could_not_be_read_is_not_absent(make):
    bad = BadRow(1, 1, "$", "bad", make.now)
    assert absence.missing_from(make.reading(bad=[bad]), {1: make.known(missing=1)}) == {}


def test_a_product_that_answers_by_id_is_not_asked_for_again_at_once(make):
    alive = absence.proven_alive(make.known(missing=2))
    assert absence.suspects(absence.missing_from(make.reading(), {1: alive})) == []


def test_a_gone_product_that_is_read_again_is_no_longer_gone(make):
    seen = absence.products_seen(make.reading(make.product(1, {3: 1})), {1: make.known(gone_at=make.now)})
    assert seen[1].gone_at is None


@pytest.mark.parametrize(
    ("standing", "live", "cause"),
    [
        (AuditedCell(D(5), D(5), False), TargetRow(D(5), None, 1), None),
        (AuditedCell(D(5), D(5), False), TargetRow(D(6), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(5), False), None, Cause.MISSING_IN_TARGET),
        (AuditedCell(D(5), D(4), False), TargetRow(D(4), None, 1), Cause.UNPUSHED),
        (AuditedCell(D(5), D(5), True), TargetRow(D(4), None, 1), Cause.UNPUSHED),
        (AuditedCell(D(5), D(4), False, held=True), TargetRow(D(4), None, 1), Cause.HELD),
        (AuditedCell(D(5), D(4), False, quarantined=True), None, Cause.QUARANTINED),
        (AuditedCell(D(5), D(4), False, held=True), TargetRow(D(9), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(4), False, quarantined=True), TargetRow(D(9), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(4), True, quarantined=True), TargetRow(D(9), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(4), True, quarantined=True), TargetRow(D(4), None, 1), Cause.QUARANTINED),
        (AuditedCell(D(5), None, False), None, Cause.UNPUSHED),
        (AuditedCell(D(5), None, False, tried=True), None, None),
        (AuditedCell(D(5), Removal.DELETED, False, tried=True), None, None),
        (AuditedCell(D(5), D(4), False, tried=True), None, Cause.MISSING_IN_TARGET),
        (AuditedCell(D(5), D(4), False, tried=True), TargetRow(D(4), None, 1), Cause.UNPUSHED),
        (AuditedCell(D(5), None, True, tried=True), None, Cause.UNPUSHED),
        (AuditedCell(D(5), None, False, held=True, tried=True), None, Cause.HELD),
        (AuditedCell(D(5), None, False, quarantined=True, tried=True), None, Cause.QUARANTINED),
        (AuditedCell(D(5), D(4), False), TargetRow(D(9), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(4), False, held=True), None, Cause.HELD),
        (AuditedCell(D(5), None, False, held=True), TargetRow(D(9), None, 1), Cause.HELD),
        (AuditedCell(Removal.DELETED, Removal.DELETED, False), None, None),
        (AuditedCell(Removal.DEACTIVATED, Removal.DEACTIVATED, False), TargetRow(D(5), False, 1), None),
        (
            AuditedCell(Removal.DEACTIVATED, Removal.DEACTIVATED, False),
            TargetRow(D(5), True, 1),
            Cause.EDITED_IN_TARGET,
        ),
        (AuditedCell(None, None, False), TargetRow(D(6), None, 1), None),
        (AuditedCell(D(5), D(5), False), TargetRow(D(5), None, 2), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(5), D(5), False), TargetRow(None, None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(-3), D(0), False, sent=D(-3)), TargetRow(D(0), None, 1), Cause.ALTERED_BY_TARGET),
        (AuditedCell(D(-3), D(0), False, sent=D(-3)), TargetRow(D(7), None, 1), Cause.EDITED_IN_TARGET),
        (AuditedCell(D(-3), D(0), False, sent=D(-3)), None, Cause.MISSING_IN_TARGET),
        (AuditedCell(D(-4), D(0), False, sent=D(-3)), TargetRow(D(0), None, 1), Cause.UNPUSHED),
        (AuditedCell(D(-3), D(0), False, sent=D(-3)), TargetRow(D(-3), None, 1), None),
    ],
)
def test_a_difference_has_one_cause(standing, live, cause):
    assert cause_of(standing, live) is cause


def test_units_count_only_numbers():
    assert units_between(D(5), TargetRow(D(2), None, 1)) == 3
    assert units_between(D(5), None) == 5
    assert units_between(D(5), TargetRow(None, None, 1)) == 0
    assert units_between(Removal.DELETED, None) == 0


@pytest.mark.parametrize(
    ("results", "believed"), [("sss", True), ("ssd", True), ("sdd", False), ("d", False), ("", True)]
)
def test_more_than_a_third_of_confirmed_differences_is_not_believed(results, believed):
    names = {"s": Check.SAME, "d": Check.DIFFERENT}
    assert (verdict_on([names[letter] for letter in results]) == "") is believed


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 5), st.integers(0, 20), st.integers(0, 1000))
def test_a_sample_prefers_what_is_about_to_change_and_spares_one_for_the_others(products, changing, size, after, seed):
    read = reading(*(product(n, {3: 1}) for n in range(products)))
    cells = [Cell(n, "3") for n in range(min(changing, products))]
    chosen = sample(read, cells, size, after, seed).products
    assert len({one.id for one in chosen}) == len(chosen) == min(size, products)
    assert sum(one.id < len(cells) for one in chosen) >= min(size - 1, len(cells))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 5), st.integers(0, 100))
def test_the_sample_reaches_every_product_whatever_trade_does(products, changing, size, after):
    read = reading(*(product(n, {3: 1}) for n in range(1, products + 1)))
    cells = [Cell(n, "3") for n in range(1, min(changing, products) + 1)]
    met, cycles = set(), 2 * (products + 1)
    for seed in range(cycles):
        chosen, after = sample(read, cells, size, after, seed)
        met |= {one.id for one in chosen}
    assert met == set(read.products)


def test_counts_that_do_not_add_up_are_a_broken_promise():
    Counts(read=3, unchanged=1, applied=1, ignored=1).check()
    with pytest.raises(InvariantBroken, match="do not add up"):
        Counts(read=1000, applied=2).check()
