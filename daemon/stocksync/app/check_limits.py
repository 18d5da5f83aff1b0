"""`check`, its time limits: the daemon waits for ever, a person does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.events import Event, RequestThrottled
from stocksync.errors import StocksyncError

TRY_SECONDS = 10.0
TRIES = 2
_PART_SECONDS = 15.0
_LONGEST_WAIT = 5.0

Attempt = Callable[[], Awaitable[Sequence[CheckResult]]]
Worded = Callable[[StocksyncError], tuple[str, str]]
"""What is wrong, and what to do about it."""


class ThrottleListener:
    """Hears of each 429."""

    def __init__(self) -> None:
        self.too_long = asyncio.Event()
        """Set when Qoyod asks for more patience than a person has."""
        self.seconds = 0.0

    def hear(self, event: Event) -> None:
        """Note how long Qoyod asks to wait."""
        if isinstance(event, RequestThrottled):
            self.seconds = event.seconds
            if event.seconds > _LONGEST_WAIT:
                self.too_long.set()


@dataclass(slots=True)
class TimeLimits:
    """Runs each part within its own time and what is left of all of it."""

    seconds: float
    """For all parts together."""
    deadline: float
    """On the loop's clock."""

    async def run(
        self, part: str, attempt: Attempt, words: Worded, heard: ThrottleListener | None = None
    ) -> AsyncIterator[CheckResult]:
        """Try one part; what fails, or lasts too long, is its result."""
        left = self.deadline - asyncio.get_running_loop().time()
        # A part that asks Qoyod may try twice, and wait as long as it is asked to in between.
        longest = TRIES * TRY_SECONDS + _LONGEST_WAIT if heard is not None else max(_PART_SECONDS, self.seconds / 4)
        if left <= 0:
            what = f"not tried: the {self.seconds:g} s of --timeout are over"
            yield CheckResult(part, CheckState.FAILED, what, "mend what is above, or give a longer --timeout")
            return
        try:
            for result in await _within(min(left, longest), attempt, heard):
                yield result
        except TimeoutError:
            what, todo = f"no answer within {min(left, longest):.0f} s", ""
            if heard is not None and heard.seconds:
                what = f"Qoyod asks to wait {heard.seconds:.0f} s (429): its limit of requests is used up"
                todo = "try again later; other integrations share this limit"
            yield CheckResult(part, CheckState.FAILED, what, todo)
        except StocksyncError as error:
            several = str(error).splitlines()
            what, todo = words(error)
            for line in several if len(several) > 1 else [what]:
                yield CheckResult(part, CheckState.FAILED, line, todo)


async def _within(seconds: float, attempt: Attempt, heard: ThrottleListener | None) -> Sequence[CheckResult]:
    """Wait for an attempt, but not where Qoyod asks for more patience than a person has."""
    async with asyncio.timeout(seconds):
        trying = asyncio.ensure_future(attempt())
        waiting = [trying] if heard is None else [trying, asyncio.ensure_future(heard.too_long.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not trying.done():
                raise TimeoutError
            return trying.result()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
