"""How often a trouble that lasts is told again."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.reminder import Reminder

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(seconds):
    reminder = Reminder()
    return [at for at in seconds if reminder.is_due("away", START + timedelta(seconds=at))]


def test_it_is_said_at_once_and_then_ever_more_seldom():
    assert said(range(0, 200, 2)) == [0, 6, 16, 36, 76, 156]


def test_it_is_said_at_the_very_second_and_at_last_each_half_hour():
    assert said([0, 0, 4, 5, 14, 15]) == [0, 5, 15]
    after = said(range(0, 30_000, 5))
    assert [later - earlier for earlier, later in zip(after[-4:], after[-3:], strict=False)] == [1800, 1800, 1800]


def test_another_trouble_is_said_at_once_and_begins_anew():
    reminder = Reminder()
    assert reminder.is_due("away", START)
    assert reminder.is_due("in use", START + timedelta(seconds=1))
    assert not reminder.is_due("in use", START + timedelta(seconds=5))
    assert reminder.is_due("away", START + timedelta(seconds=5.5))


@given(st.lists(st.integers(1, 600), min_size=1, max_size=300))
def test_it_is_never_silent_for_much_more_than_half_an_hour_and_never_chatters(steps):
    at, times = 0, []
    for step in steps:
        times.append(at)
        at += step
    gaps = [after - before for before, after in zip(said(times), said(times)[1:], strict=False)]
    assert all(5 <= gap < 1800 + 600 for gap in gaps)


def test_a_clock_that_is_set_back_does_not_silence_it():
    reminder = Reminder()
    assert reminder.is_due("away", START)
    assert reminder.is_due("away", START - timedelta(hours=1))
