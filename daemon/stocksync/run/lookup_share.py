"""The look-ups' turn: a third of the tenant's budget, in all processes together."""

import asyncio
from dataclasses import dataclass

from stocksync.core.allowance import Allowance
from stocksync.core.budget import SECOND
from stocksync.errors import AskedTooOften
from stocksync.ports import Clock, SharedBudgets


@dataclass(slots=True)
class LookupShare:
    """What look-ups may spend of a tenant's budget; its accounts have it in common."""

    allowance: Allowance
    """This process's own: a flood is refused by it before it costs the state anything."""
    clock: Clock
    shared: SharedBudgets | None = None
    """Where all processes take their turns; without it, this one is alone."""
    budget: str = ""

    async def turn(self, longest: float) -> None:
        """Wait until the next request may go.

        Raises:
            AskedTooOften: that would take more than `longest` seconds; nothing is spent.
            StateUnavailable: what is shared cannot be reached.

        """
        wait = self.allowance.take(self.clock.monotonic(), longest)
        if self.shared is not None:
            reserved = await self.shared.reserve(self.budget, self.allowance.pace, 1)
            in_common = (reserved.first - reserved.now) / SECOND
            if in_common > longest:
                # All slots are alike: whoever comes next gets the one that is given back.
                await self.shared.reserve(self.budget, self.allowance.pace, -1)
                raise AskedTooOften(in_common - longest)
            wait = max(wait, in_common)
        await asyncio.sleep(wait)
