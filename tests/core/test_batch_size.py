"""A batch grows while it is quick and smooth, and gives way to who waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.batch_size import BatchSize


def grown(*batches: tuple[float, bool], configured: int = 10) -> list[int]:
    size, seen = BatchSize(configured), []
    for seconds, smooth in batches:
        size.learn(seconds, smooth=smooth)
        seen.append(size.rows)
    return seen


def test_quick_batches_grow_to_eight_times_the_configured_size() -> None:
    assert grown(*[(0.1, True)] * 5) == [20, 40, 80, 80, 80]


@pytest.mark.parametrize("trouble", [(0.1, False), (1.5, True)], ids=["a row refused or held", "slow"])
def test_trouble_halves_it_and_never_below_the_configured_size(trouble: tuple[float, bool]) -> None:
    assert grown((0.1, True), (0.1, True), trouble, trouble, trouble) == [20, 40, 20, 10, 10]


@pytest.mark.parametrize(("left", "taken"), [(7, 7), (10, 10), (12, 12), (13, 10), (25, 10)])
def test_a_small_rest_goes_along_with_the_last_full_batch(left: int, taken: int) -> None:
    assert BatchSize(10).next_of(left) == taken


def test_no_batch_is_larger_than_eight_times_the_configured_size() -> None:
    size = BatchSize(10)
    for _ in range(5):
        size.learn(0.1, smooth=True)
    assert (size.next_of(80), size.next_of(81)) == (80, 80)


def test_what_is_neither_quick_nor_slow_stays() -> None:
    assert grown((0.1, True), (0.7, True)) == [20, 20]


@given(st.integers(1, 10_000), st.lists(st.tuples(st.floats(0, 5), st.booleans())))
def test_it_stays_within_its_bounds(configured: int, batches: list[tuple[float, bool]]) -> None:
    assert all(configured <= rows <= 8 * configured for rows in grown(*batches, configured=configured))
