"""Whether a catalogue can be read as often as it is polled."""

from datetime import timedelta

from stocksync.core.health import in_words

READING_SHARE = 0.75
"""Share of poll.deadline that reading may take: what was read by then is worked with."""
_BEGINNING = timedelta(seconds=3)
"""What the first requests may take before the budget is what one waits for."""


def reading_time(products: int, per_page: int, requests_per_minute: float) -> timedelta:
    """Give how long the request budget makes a reading of so many products."""
    pages = max(1, -(-products // per_page))
    return timedelta(minutes=pages / requests_per_minute)


def misfit(
    products: int,
    per_page: int,
    requests_per_minute: float,
    interval: timedelta,
    deadline: timedelta,
) -> str:
    """Say in one sentence why no poll of this catalogue can be complete, or keep its interval; "" where it can.

    `requests_per_minute` is the account's share of its tenant's budget.
    """
    needed = reading_time(products, per_page, requests_per_minute)
    room = deadline * READING_SHARE
    reads = f"{products:,} products at {requests_per_minute:g} requests a minute take {in_words(needed)} to read"
    if needed > room + _BEGINNING:
        return (
            f"{reads}, but poll.deadline leaves {in_words(room)}: each poll reads a part and none is complete;"
            f" raise poll.deadline above {in_words(needed / READING_SHARE)}, or poll.requests_per_minute"
        )
    if needed > interval:
        return f"{reads}, longer than poll.interval of {in_words(interval)}: polls are skipped; raise poll.interval"
    return ""
