"""How long a catalogue takes to read within its request budget."""

from datetime import timedelta

READING_SHARE = 0.75
"""Share of poll.deadline that reading may take: what was read by then is worked with."""


def reading_time(products: int, per_page: int, requests_per_minute: int) -> timedelta:
    """Give how long the request budget makes a reading of so many products."""
    return timedelta(minutes=-(-products // per_page) / requests_per_minute)
