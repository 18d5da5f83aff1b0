"""What is said while the state database is away, before the first poll and later."""

from datetime import UTC, datetime

from stocksync.core.answers import Waiting
from stocksync.core.health import in_words
from stocksync.errors import StateError


def sentence(waiting: Waiting | None, error: StateError | None, now: datetime) -> str:
    """Say what is waited for, since when, why, and what happens next."""
    if waiting is None:
        away = (
            "the state database cannot be read; the target keeps its figures, and polling goes on by itself "
            "once it is back"
        )
        return f"{away}: {error}"
    since = f"{_clock(waiting.since)} ({in_words(now - waiting.since)})"
    tries = (
        "the first try is under way" if waiting.next_try is None else f"the next try is at {_clock(waiting.next_try)}"
    )
    return (
        f"waiting for {waiting.what} since {since}: {waiting.because}; {tries}, and polling begins by itself "
        "once it is there"
    )


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
