"""Silence is not evidence: what is missing from a reading, and who is asked for."""

from dataclasses import replace

import pytest
from making import known, product, reading

from stocksync.core import absence
from stocksync.core.model import BadRow, SnapshotProduct, Verdict


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
