from datetime import timedelta

import pytest

from stocksync.core.pace import misfit, reading_time

MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("products", "minutes"), [(0, 0.05), (1, 0.05), (100, 0.05), (101, 0.1), (20_000, 10), (20_001, 10.05)]
)
def test_a_reading_takes_its_pages_over_the_budget(products: int, minutes: float) -> None:
    assert reading_time(products, 100, 20) == minutes * MINUTES


@pytest.mark.parametrize("products", [0, 2_000, 135_000])
def test_what_fits_is_not_spoken_of(products: int) -> None:
    assert misfit(products, 100, 180, 15 * MINUTES, 10 * MINUTES) == ""


def test_a_catalogue_too_large_for_the_deadline_is_named_with_what_to_raise() -> None:
    assert misfit(200_000, 100, 180, 15 * MINUTES, 10 * MINUTES) == (
        "200,000 products at 180 requests a minute take 11 min 6 s to read, but poll.deadline leaves 7 min 30 s:"
        " each poll reads a part and none is complete; raise poll.deadline above 14 min 48 s,"
        " or poll.requests_per_minute"
    )


def test_a_catalogue_too_large_for_the_interval_is_named() -> None:
    assert misfit(90_000, 100, 180, 4 * MINUTES, 10 * MINUTES) == (
        "90,000 products at 180 requests a minute take 5 min to read, longer than poll.interval of 4 min:"
        " polls are skipped; raise poll.interval"
    )
