"""How long a reading takes at its budget."""

from datetime import timedelta

import pytest

from stocksync.core.pace import reading_time


@pytest.mark.parametrize(
    ("products", "minutes"), [(0, 0), (1, 0.05), (100, 0.05), (101, 0.1), (20_000, 10), (20_001, 10.05)]
)
def test_a_reading_takes_its_pages_over_the_budget(products: int, minutes: float) -> None:
    assert reading_time(products, 100, 20) == timedelta(minutes=minutes)
