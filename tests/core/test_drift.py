"""Each difference between what we wrote and what stands there has one cause."""

from decimal import Decimal as D

import pytest

from stocksync.core.drift import AuditedCell, Cause, cause_of, live_text, units_between
from stocksync.core.model import Removal, TargetRow


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
