"""When Python looks for values that hold each other in circles, and through which ones."""

import asyncio
import gc
from collections.abc import Callable

_SECONDS = 600.0
_GROWN = 1.1
_MANY = 100
"""Accounts that are some 20 MB."""


def look_seldom() -> None:
    """Look through what is new, some 70,000 values at a time, and through what has stayed hardly ever.

    A cycle makes hundreds of thousands of values, hardly any of them in circles: at Python's usual pace to look for
    those takes longer than the work itself.
    """
    gc.set_threshold(10_000, 5, 2_000)


async def keep_what_stays(accounts: Callable[[], int], seconds: float = _SECONDS) -> None:
    """Look no more through what is there, once there are more accounts than before: it lives as long as the process.

    Tables and metrics are a thousand values an account: to look through those of 500 holds up everything for 0.2 s.
    `accounts` tells how many are polled here; in the `seconds` between two looks all of them have been.
    """
    kept = 0
    while True:
        await asyncio.sleep(seconds)
        if accounts() > kept * _GROWN:
            kept = accounts()
            gc.collect(1)
            gc.freeze()


class GoneAccounts:
    """Counts accounts that nobody uses any more: their tables and statements name each other, in circles."""

    def __init__(self, many: int = _MANY, *, kept: bool = False) -> None:
        """Take after how many of them memory is tidied up; `kept`: they may be among what is looked through no more."""
        self._many, self._kept = many, kept
        self._gone = 0

    def add(self, number: int) -> None:
        """Count accounts; they may still be at work."""
        self._gone += number

    def tidy(self) -> None:
        """Look for circles where there are so many: by itself Python does thousands of accounts later (`look_seldom`).

        That holds up everything: for a tenth of a second, or for 0.2 s where all of 500 accounts are looked through.
        """
        if self._gone < self._many:
            return
        self._gone = 0
        if self._kept:
            gc.unfreeze()
        gc.collect()
        if self._kept:
            gc.freeze()
