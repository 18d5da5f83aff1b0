"""Looks at how the accounts stand, after each cycle and audit, and posts what has changed."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from stocksync.core.events import AuditEnded, CycleEnded, Event
from stocksync.core.health import Watched
from stocksync.core.message_limit import MessageLimit
from stocksync.core.notice import Notice, Trouble, marks_of, marks_text, news, troubles
from stocksync.core.status import AccountStatus
from stocksync.errors import StateError
from stocksync.observe.notice_message import Message, Words

log = structlog.get_logger(__name__)

_PERIOD = 10.0
_SOON = 1.5
_AT_ONCE = 50
_STATE_PATIENCE = 60.0
"""Seconds that the state may be away before anybody is told: a restart of it is no news."""


class Memory(Protocol):
    """Remembers what people were told, for all processes and across restarts."""

    async def told(self, accounts: Iterable[str]) -> Mapping[str, str]:
        """Give what was told of each account that is known; raises StateError where it cannot be read."""

    async def tell(self, account: str, before: str, after: str) -> bool:
        """Note what is told now, unless another process did first; raises StateError."""


class Notices:
    """Hears events; each look posts at most one message an account."""

    def __init__(
        self,
        statuses: Callable[[], Awaitable[list[AccountStatus]]],
        accounts: Callable[[], Mapping[str, Watched]],
        memory: Memory,
        post: Callable[[Message], None],
        *,
        words: Words,
        limit: MessageLimit,
        now: Callable[[], datetime],
        host: str,
        sends: Callable[[], bool] = lambda: True,
        read_at: Callable[[], float] = time.monotonic,
        patience: float = _STATE_PATIENCE,
    ) -> None:
        """Take where to look, what was told, and who sends.

        `sends`: whether this process does, of several; `read_at`: when what `statuses` gave last began to be read, by
        the monotonic clock.
        """
        self._statuses, self._accounts, self._memory, self._post = statuses, accounts, memory, post
        self._words, self._limit, self._now, self._host = words, limit, now, host
        self._sends, self._read_at, self._patience = sends, read_at, patience
        self._known_at: dict[str, float] = {}
        self._news = asyncio.Event()
        self._older = False
        """Something was seen that is older than what is known of what was told: look again soon."""
        self._told: dict[str, str] | None = None
        self._away_since: datetime | None = None
        self._away_told = False

    def hear(self, event: Event) -> None:
        """Look soon where a cycle or an audit has ended."""
        if isinstance(event, CycleEnded | AuditEnded):
            self._news.set()

    async def run(self, period: float = _PERIOD) -> None:
        """Look until cancelled: as an account also grows stale while nothing happens, every ten seconds."""
        while True:
            self._older = False
            try:
                await self.look()
            except Exception:  # a looker-on must outlive every surprise
                log.exception("notices_failed")
            self._news.clear()
            try:
                async with asyncio.timeout(_SOON if self._older else period):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Compare how all accounts stand with what was told, and post the difference."""
        try:
            statuses = await self._statuses()
            if self._away_told:
                self._send(self._words.process(Notice("", (), (Trouble.STATE_AWAY,)), self._host, ""))
            self._away_since, self._away_told = None, False
            if not statuses:
                # Whoever tells meanwhile notes what this process would not know when its turn comes.
                self._told = None
            elif self._told is None:
                await self._learn(self._accounts())
            for number, status in enumerate(statuses):
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)  # a fleet has thousands
                await self._compare(status)
            if count := self._limit.overdue(self._now()):
                known, titles = self._told or {}, {name: one.title for name, one in self._accounts().items()}
                names = [one.account for one in statuses]
                standing = [(titles.get(name) or name, list(marks_of(known.get(name, "")))) for name in names]
                self._post(self._words.kept_back(count, standing))
        except StateError as error:
            now = self._now()
            self._away_since = self._away_since or now
            if not self._away_told and self._sends() and (now - self._away_since).total_seconds() >= self._patience:
                self._away_told = True
                self._send(self._words.process(Notice("", (Trouble.STATE_AWAY,)), self._host, str(error)))

    async def _compare(self, status: AccountStatus) -> None:
        watched, told = self._accounts().get(status.account), self._told or {}
        if watched is None:
            return
        before, now = told.get(status.account, ""), self._now()
        marks = marks_of(before)
        notice, after = news(status.account, marks, troubles(status, watched, now, marks))
        if after == marks:
            return
        if self._read_at() <= self._known_at.get(status.account, -math.inf):
            # What was told is newer than this: it may know of a recovery that this does not.
            self._older = True
            return
        text = marks_text(after, before)
        if not await self._memory.tell(status.account, before, text):
            # Another process has told it, or the state does not know the account yet.
            await self._learn([status.account])
            self._older = True
            return
        self._told = {**told, status.account: text}
        self._known_at[status.account] = time.monotonic()
        if notice is not None:
            self._send(self._words.account(notice, status, watched, now))

    async def _learn(self, accounts: Iterable[str]) -> None:
        """Read what was told; whatever is compared with it must be read after that."""
        found = await self._memory.told(accounts)
        self._told = {**(self._told or {}), **found}
        self._known_at |= dict.fromkeys(found, time.monotonic())

    def _send(self, message: Message) -> None:
        if self._limit.admits(self._now()):
            self._post(message)
