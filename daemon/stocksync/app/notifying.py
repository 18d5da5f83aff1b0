"""Who is told of changes, by the configuration: [notify]."""

import asyncio
import math
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from stocksync.app.awaited_state import AwaitedState
from stocksync.app.endpoint import Endpoint, options_of
from stocksync.config import Config
from stocksync.core.message_limit import MessageLimit
from stocksync.core.status import AccountStatus
from stocksync.errors import StateError
from stocksync.observe.apprise_addresses import Sender, senders
from stocksync.observe.bus import Listener
from stocksync.observe.dead_man import DeadManSwitch
from stocksync.observe.delivery import Channel, Delivery
from stocksync.observe.heartbeat import running, utc_now
from stocksync.observe.notice_message import Words
from stocksync.observe.notices import Notices
from stocksync.state.duties import SENDS

_DUTY, _ASK_SECONDS = timedelta(seconds=20), 4.0
"""For how long a process sends after it was last heard of, and after how many seconds it asks whether it still does."""


async def senders_of(config: Config) -> list[Sender]:
    """Read the addresses; none where nobody is to be told.

    Raises:
        ConfigurationError: they cannot be read, are none, or apprise is not installed.

    """
    urls = config.notify.urls
    # apprise reads its hundred services for seconds.
    return await asyncio.to_thread(lambda: senders(urls.text(), urls.key)) if urls else []


class Everybody:
    """Where each process sends for itself: of those with one state, the first to note what is told sends it."""

    sends = True

    async def taken(self) -> bool:
        """Whether it is this process that sends."""
        return True


class OneOfMany:
    """Where any number of equal processes run, the one that sends for all of them.

    While the state is away, the last one that sent tells of it. One that never reached it tells so too, as it knows of
    no other.
    """

    def __init__(self, state: AwaitedState, owner: str) -> None:
        """Take where the duty is kept, and this process's name."""
        self._state, self._owner = state, owner
        self._asked_at = -math.inf
        self.sends = True

    async def taken(self) -> bool:
        """Whether it is this process that sends.

        Raises:
            StateError: nobody knows.

        """
        if time.monotonic() - self._asked_at >= _ASK_SECONDS:
            self.sends = await self._state.take_duty(SENDS, self._owner, _DUTY)
            self._asked_at = time.monotonic()
        return self.sends


Sends = Everybody | OneOfMany


@asynccontextmanager
async def notifying(config: Config, endpoint: Endpoint, sends: Sends | None = None) -> AsyncIterator[list[Listener]]:
    """Tell people, and the dead man's switch, until the block ends; gives who must hear what happens.

    Raises:
        ConfigurationError: as for `senders_of`.

    """
    sends = sends or Everybody()
    times: Counter[str] = Counter()
    channels: list[Channel] = []
    for scheme, send in await senders_of(config):
        times[scheme] += 1
        name = scheme if times[scheme] == 1 else f"{scheme}-{times[scheme]}"
        channels.append(Channel(name, send, endpoint.metrics))
    delivery = Delivery(channels)
    words = Words(config.notify.language, options_of(config))

    async def statuses() -> list[AccountStatus]:
        # Who only stands by tells nothing, as the other one does.
        tells = not endpoint.state.stands_by and await sends.taken()
        return await endpoint.view.get() if tells else []

    notices = Notices(
        statuses, lambda: endpoint.accounts, endpoint.state, delivery.post, words=words,
        limit=MessageLimit(config.notify.at_most_per_hour), now=utc_now, host=socket.gethostname(),
        sends=lambda: sends.sends, read_at=lambda: endpoint.view.began,
    )  # fmt: skip
    told = [*delivery.running(), notices.run()] if config.notify.urls else []
    if config.notify.heartbeat_url:
        switch = DeadManSwitch(config.notify.heartbeat_url, lambda: _all_fresh(endpoint, sends), endpoint.metrics)
        told.append(switch.run())
    async with running(*told):
        yield [notices.hear] if config.notify.urls else []


async def _all_fresh(endpoint: Endpoint, sends: Sends) -> bool:
    try:
        statuses = await endpoint.view.get() if await sends.taken() else []
    except StateError:
        return False
    now, judges = datetime.now(UTC), endpoint.accounts
    return bool(statuses) and all(
        judges[one.account].health(one, now).well for one in statuses if one.account in judges
    )
