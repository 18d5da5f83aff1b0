"""Who is told of changes, by the configuration: [notify]."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from stocksync.app.endpoint import Endpoint
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


async def senders_of(config: Config) -> list[Sender]:
    """Read the addresses; none where nobody is to be told.

    Raises:
        ConfigurationError: they cannot be read, are none, or apprise is not installed.

    """
    urls = config.notify.urls
    # apprise reads its hundred services for seconds.
    return await asyncio.to_thread(lambda: senders(urls.text(), urls.key)) if urls else []


@asynccontextmanager
async def notifying(config: Config, endpoint: Endpoint) -> AsyncIterator[list[Listener]]:
    """Tell people, and the dead man's switch, until the block ends; gives who must hear what happens.

    Raises:
        ConfigurationError: as for `senders_of`.

    """
    delivery = Delivery(_channels(await senders_of(config), endpoint))
    words = Words(config.notify.language)
    notices = Notices(
        lambda: _statuses(endpoint), lambda: endpoint.accounts, endpoint.state, delivery.post, words=words,
        limit=MessageLimit(config.notify.at_most_per_hour), now=utc_now, host=socket.gethostname(),
    )  # fmt: skip
    told = [*delivery.running(), notices.run()] if config.notify.urls else []
    if config.notify.heartbeat_url:
        switch = DeadManSwitch(config.notify.heartbeat_url, lambda: _all_fresh(endpoint), endpoint.metrics)
        told.append(switch.run())
    async with running(*told):
        yield [notices.hear] if config.notify.urls else []


def _channels(found: list[Sender], endpoint: Endpoint) -> list[Channel]:
    times: Counter[str] = Counter()
    channels = []
    for scheme, send in found:
        times[scheme] += 1
        name = scheme if times[scheme] == 1 else f"{scheme}-{times[scheme]}"
        channels.append(Channel(name, send, endpoint.metrics))
    return channels


async def _statuses(endpoint: Endpoint) -> list[AccountStatus]:
    """Give the accounts' status; none where this process only stands by, as the other one tells."""
    return [] if endpoint.state.stands_by else await endpoint.view.get()


async def _all_fresh(endpoint: Endpoint) -> bool:
    try:
        statuses = await endpoint.view.get()
    except StateError:
        return False
    now, judges = datetime.now(UTC), endpoint.accounts
    return bool(statuses) and all(
        judges[one.account].health(one, now).well for one in statuses if one.account in judges
    )
