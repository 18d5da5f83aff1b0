"""Look-ups have a share of the budget, and no flood of them takes more."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.allowance import Allowance
from stocksync.errors import AskedTooOften


def test_some_go_at_once_then_they_are_paced_and_a_flood_is_refused() -> None:
    allowance = Allowance.of(180)
    waits = [allowance.take(1000.0, 10) for _ in range(20)]
    assert waits == [0.0] * 10 + [float(number) for number in range(1, 11)]
    with pytest.raises(AskedTooOften) as refused:
        allowance.take(1000.0, 10)
    assert refused.value.seconds == pytest.approx(1)
    assert allowance.take(1001.0, 10) == pytest.approx(10)


@given(st.integers(1, 300), st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_no_minute_holds_more_than_a_third_of_the_budget_and_what_was_saved_up(limit: int, gaps: list[float]) -> None:
    allowance, now, went = Allowance.of(limit), 0.0, list[float]()
    for gap in gaps:
        now += gap
        with suppress(AskedTooOften):
            went.append(now + allowance.take(now, 10))
    most = max(sum(first <= each < first + 60 for each in went) for first in went)
    assert most <= limit / 3 + max(1, limit // 18) + 1
