"""One account, put together: everything a cycle, an audit or a look-up works with."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from stocksync.core.desired_state import Rules
from stocksync.core.guards import Limits
from stocksync.errors import StocksyncError
from stocksync.ports import Capabilities, Clock, Publish, Source, State, Target
from stocksync.run.lookup_share import LookupShare
from stocksync.run.turns import Turns

_LOOK = 10.0
"""Seconds for a look at the columns."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configured behaviour of one account."""

    interval: timedelta
    jitter: timedelta
    deadline: timedelta
    audit_interval: timedelta
    cross_check: int
    batch_size: int
    heal: bool
    owns_table: bool
    """No other account writes to this table, and no filter narrows the poll: strange rows can be told."""
    filter: str = ""
    """What narrows the poll; "" where nothing does. Only what a poll has shown is known to be within it."""


@dataclass(slots=True)
class Account:
    """One Qoyod tenant (or part of one), its target, and what both need."""

    name: str
    source: Source
    target: Target
    state: State
    shared: bool
    """State and target are one database, so that one transaction spans a batch and its acknowledgement."""
    rules: Rules
    limits: Limits
    settings: Settings
    clock: Clock
    publish: Publish
    lookups: LookupShare
    """What look-ups may spend of the tenant's budget; its accounts have it in common."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from loading the snapshot to the last acknowledgement, by cycle, look-up and healing alike.

    Siblings have it in common.
    """
    turns: Turns = field(default_factory=Turns)
    """Shared by all accounts of the process."""
    siblings: tuple[str, ...] = ()
    """Other accounts that poll the same tenant and write to the same table."""
    together: tuple[str, ...] = ()
    """All accounts of its sync group: they share a tenant or a table, directly or through others."""
    target_id: str = ""
    """Fingerprint of the target: server, database, table, columns and key. Acknowledgements belong to it."""
    announced: set[tuple[str, str, datetime | None]] = field(default_factory=set)
    """Decisions on held plans that this process has logged."""
    _capabilities: Capabilities | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def group(self) -> tuple[str, ...]:
        """What one lease covers."""
        return self.together or (self.name,)

    async def capabilities(self) -> Capabilities:
        """Give what the target looks like, inspecting it where that is not known (any more).

        Raises:
            ConfigurationError, TargetUnavailable: from the target.

        """
        async with self._looking:
            if self._capabilities is None:
                self._capabilities = await self.target.inspect()
                policy = replace(self.rules.policy, scale=self._capabilities.scale)
                self.rules = replace(self.rules, policy=policy)
            return self._capabilities

    async def look_again(self) -> bool:
        """Inspect the target anew where its columns have changed; give whether it answered.

        One that is away is left to those who need it.
        """
        if self._capabilities is None:
            return False
        try:
            async with asyncio.timeout(_LOOK):
                stale = await self.target.stale()
        except (TimeoutError, StocksyncError):
            return False
        if stale:
            self.forget_capabilities()
        return stale is not None

    def forget_capabilities(self) -> None:
        """Inspect the target anew before it is next used: after a failure it may have changed."""
        self._capabilities = None
