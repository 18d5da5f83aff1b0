"""What the page shows beside the status: the last day in columns, and what the request budget allows."""

from datetime import UTC, datetime, timedelta

import pytest

from stocksync.core.budget import FULL, SECOND, BudgetRow, Pace
from stocksync.core.overview import BudgetNow, Column, budget_now, day_of, quarter_of

NOW = datetime(2026, 8, 31, 12, 7, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
MICROS = int(NOW.timestamp()) * SECOND
PER_MINUTE = 60
PACE = Pace.of(PER_MINUTE)


def test_a_day_is_ninety_six_quarters_the_newest_last():
    written = {quarter_of(NOW): 3, quarter_of(NOW - 95 * QUARTER): 4, quarter_of(NOW - 96 * QUARTER): 5}
    polls = [
        (NOW, "done"), (NOW - timedelta(minutes=7), "failed"), (NOW - timedelta(minutes=8), "held"),
        (NOW - 95 * QUARTER, "unauthorized"), (NOW - 96 * QUARTER, "done"), (NOW + QUARTER, "done"),
    ]  # fmt: skip
    day = day_of(NOW, polls, written)
    assert len(day.columns) == 96
    assert [day.columns[at] for at in (-1, -2, 0)] == [Column(2, 1, 3), Column(1, 0, 0), Column(1, 1, 4)]
    assert (day.polls, day.failed, day.changes) == (4, 2, 7)


def test_a_quarter_of_an_hour_has_one_number():
    assert quarter_of(datetime(1970, 1, 1, 0, 14, 59, tzinfo=UTC)) == 0
    assert quarter_of(datetime(1970, 1, 1, 0, 15, tzinfo=UTC)) == 1


@pytest.mark.parametrize(
    ("row", "allowed"),
    [
        (None, BudgetNow(PER_MINUTE, False, PACE.burst, None)),
        (BudgetRow(MICROS, 0, FULL, MICROS), BudgetNow(PER_MINUTE, False, 1, None)),
        (BudgetRow(MICROS - PACE.interval, 0, FULL, MICROS), BudgetNow(PER_MINUTE, False, 2, None)),
        (BudgetRow(MICROS + 1, 0, FULL, MICROS), BudgetNow(PER_MINUTE, False, 0, None)),
        (BudgetRow(MICROS - 2 * PACE.interval, 0, FULL // 2, MICROS), BudgetNow(PER_MINUTE // 2, True, 2, None)),
        (
            BudgetRow(MICROS, MICROS + 90 * SECOND, FULL // 2, MICROS),
            BudgetNow(PER_MINUTE // 2, True, 0, timedelta(seconds=90)),
        ),
        (BudgetRow(MICROS - PACE.interval, MICROS, FULL, MICROS), BudgetNow(PER_MINUTE, False, 2, None)),
    ],
    ids=["never used", "one is due", "two are due", "the next is due later", "slowed", "closed", "open again"],
)
def test_a_budget_says_what_could_go_at_once(row, allowed):
    assert budget_now(row, NOW, PER_MINUTE) == allowed
