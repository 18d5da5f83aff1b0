"""The shared row of a request budget: whatever processes do with its slots, no minute has too many."""

from bisect import bisect_right
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocksync.core.budget import FULL, LOWEST, SECOND, SET_BACK, BudgetRow, Pace, block_of, forbid, reserve

NOW = 1_800_000_000 * SECOND


def worst_minute(times: list[int]) -> int:
    ordered = sorted(times)
    return max((bisect_right(ordered, at + 60 * SECOND) - index for index, at in enumerate(ordered)), default=0)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), limit=st.sampled_from([1, 2, 7, 39, 40, 60, 180, 300]))
def test_no_minute_has_more_than_the_limit_however_late_each_slot_is_used_and_each_request_arrives(
    seed: int, limit: int
) -> None:
    random, pace, row, now = Random(seed), Pace.of(limit), None, NOW
    sent: list[int] = []
    for _ in range(80):
        row, reserved = reserve(row, now, pace, random.randint(1, block_of(pace.interval)))
        lateness = random.choice([0, pace.patience, random.randint(0, pace.patience)])
        flight = random.choice([0, SECOND])
        sent += [max(now, now + slot) + flight for slot in reserved.slots() if slot + lateness >= 0]
        sent += [now + slot + pace.patience + flight for slot in reserved.slots() if slot + lateness < 0]
        now += int(random.choice([0, pace.interval, 3 * SECOND, 61 * SECOND]) * random.random())
        if random.random() < 0.1:
            row = forbid(row, now, random.randint(1, 90 * SECOND))
    assert worst_minute(sent) <= limit


def test_an_idle_budget_lets_a_twentieth_go_at_once_and_then_one_an_interval() -> None:
    pace = Pace.of(180)
    row, reserved = reserve(None, NOW, pace, 12)
    at_once = [slot for slot in reserved.slots() if slot <= 0]
    assert (len(at_once), pace.burst, pace.interval) == (9, 9, 366_280)
    assert list(reserved.slots())[9:] == [pace.interval * n for n in (1, 2, 3)]
    assert row.next_at == NOW + 4 * pace.interval


@pytest.mark.parametrize(("limit", "block"), [(1, 1), (30, 1), (60, 1), (180, 5), (300, 9)])
def test_a_block_is_what_two_seconds_hold_and_one_at_least(limit: int, block: int) -> None:
    assert block_of(Pace.of(limit).interval) == block


def test_a_429_forbids_everything_until_its_end_and_halves_the_pace_once() -> None:
    pace = Pace.of(180)
    row, _ = reserve(None, NOW, pace, 1)
    row = forbid(row, NOW, 30 * SECOND)
    row = forbid(row, NOW + SECOND, 30 * SECOND)
    assert row == (NOW + 31 * SECOND, NOW + 31 * SECOND, FULL // 2, NOW + SECOND)
    _, reserved = reserve(row, NOW + 2 * SECOND, pace, 3)
    assert list(reserved.slots()) == [29 * SECOND + n * 2 * pace.interval for n in range(3)]


def test_the_pace_never_falls_below_a_sixteenth_and_recovers_a_tenth_a_minute_after_the_pause() -> None:
    row = None
    for n in range(9):
        row = forbid(row, NOW + n * SECOND, SECOND)
    assert row is not None
    assert row.share == LOWEST
    calm = row.forbidden_until
    for n in range(1, 121):
        row, _ = reserve(row, calm + n * SECOND // 2, Pace.of(180), 1)
    assert row.share == pytest.approx(LOWEST + FULL // 10, rel=0.001)
    row, reserved = reserve(row, calm + 3600 * SECOND, Pace.of(180), 1)
    assert row.share == FULL
    halved = forbid(row, calm + 3600 * SECOND, SECOND)
    assert all(isinstance(value, int) for value in (*row, *reserved, *halved)), "the state's columns hold whole numbers"


@settings(deadline=None)
@given(back=st.integers(SET_BACK + 1, 10**6 * SECOND))
def test_a_clock_that_is_set_back_takes_the_row_with_it(back: int) -> None:
    row = BudgetRow(NOW + 5 * SECOND, NOW + 3 * SECOND, FULL // 2, NOW)
    moved, reserved = reserve(row, NOW - back, Pace.of(180), 1)
    assert reserved.first - reserved.now == 5 * SECOND
    assert moved.forbidden_until == NOW - back + 3 * SECOND


def test_a_clock_that_is_a_little_behind_another_statements_moves_nothing() -> None:
    row = BudgetRow(NOW + 5 * SECOND, 0, FULL, NOW)
    _, reserved = reserve(row, NOW - SECOND, Pace.of(180), 1)
    assert reserved.first == NOW + 5 * SECOND


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pace.of(0)
