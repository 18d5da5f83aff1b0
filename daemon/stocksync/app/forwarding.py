"""A look-up that reaches a stand-by: asked of the process that holds the lease, which alone may push what it finds."""

import socket
from urllib.parse import urlsplit

import structlog

from stocksync.app.daemon_client import ask_at, url_of
from stocksync.app.wiring import Runtime
from stocksync.core.answers import StockAnswer
from stocksync.errors import StateError
from stocksync.ports import LeaseHolder
from stocksync.run.lookup import Query
from stocksync.web.access import is_loopback

log = structlog.get_logger(__name__)

_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound


def address_of(host: str, port: int) -> str:
    """Give what others are told of an address that is listened on."""
    return url_of(socket.gethostname() if host in _WILDCARDS else host, port)


async def ask_writer(house: Runtime, account: str, query: Query) -> StockAnswer | None:
    """Ask the process that is the account's writer for a fresh figure; None where none answers.

    Raises:
        NotFound: it says that Qoyod knows no such product.

    """
    try:
        holder = await house.state.writer(account)
    except StateError:
        return None
    if holder is None or not reachable(holder, house.owner):
        return None
    answer = await ask_at(holder.address, house.config, account, query)
    if answer is None:
        log.info("writer_not_reached", account=account, writer=holder.owner, address=holder.address)
    return answer


def reachable(holder: LeaseHolder, owner: str) -> bool:
    """Whether the process that signs as `owner` may reach the holder: a loopback is its machine's own."""
    if not holder.address or holder.owner == owner:
        return False
    here = holder.owner.partition(":")[0] == owner.partition(":")[0]
    return here or not is_loopback(urlsplit(holder.address).hostname or "")
