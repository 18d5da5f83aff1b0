"""Tells a dead man's switch that every account is fresh; its owner calls when that stops."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from stocksync.observe.apprise_addresses import hide
from stocksync.observe.delivery import Counts

log = structlog.get_logger(__name__)

_SECONDS, _PERIOD = 10.0, 60.0
_SOON = 5.0
"""After which it is looked again where not all is fresh: the end of that is told soon."""


class DeadManSwitch:
    """Asks for a URL again and again while all is well, as healthchecks.io and its like expect."""

    def __init__(
        self, url: str, all_fresh: Callable[[], Awaitable[bool]], counts: Counts, period: float = _PERIOD
    ) -> None:
        """Take the URL, which is a secret, and who knows whether every account is fresh."""
        hide(url)
        self._url, self._all_fresh, self._counts, self._period = url, all_fresh, counts, period
        self._failing = False

    async def run(self) -> None:
        """Ping until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            while True:
                fresh = await self._all_fresh()
                if fresh:
                    await self._ping(session)
                await asyncio.sleep(self._period if fresh else min(self._period, _SOON))

    async def _ping(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.get(self._url) as answer:
                problem = "" if answer.ok else f"it answered {answer.status}"
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            problem = type(error).__name__
        self._counts.noticed("heartbeat", "failed" if problem else "sent")
        if problem and not self._failing:
            log.warning("heartbeat_not_sent", reason=problem, again_every_seconds=self._period)
        if self._failing and not problem:
            log.info("heartbeat_sent_again")
        self._failing = bool(problem)
