"""When Python looks for values that hold each other in circles, and through which ones."""

import asyncio
import gc

_SECONDS = 600.0


def look_seldom() -> None:
    """Look through what is new in pieces of 10 to 20 ms, and through what has stayed hardly ever.

    A cycle makes hundreds of thousands of values, hardly any of them in circles: at Python's usual pace to look for
    those takes longer than the work itself.
    """
    gc.set_threshold(10_000, 5, 2_000)


async def keep_what_stays(seconds: float = _SECONDS) -> None:
    """Once all accounts were polled, look through what is there no more: it lives as long as the process.

    Tables and metrics are a thousand values an account: to look through those of 500 holds up everything for 0.2 s.
    """
    await asyncio.sleep(seconds)
    gc.collect(1)
    gc.freeze()


def let_go_of_what_went() -> None:
    """Look through everything once, after a reload: accounts that went hold themselves in circles."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
