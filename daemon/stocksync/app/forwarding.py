"""A look-up that reaches a stand-by: asked of the process that holds the lease, which alone may push what it finds."""

import socket
from urllib.parse import urlsplit

from stocksync.app.daemon_client import url_of
from stocksync.app.wiring import Runtime
from stocksync.errors import StateError
from stocksync.ports import LeaseHolder
from stocksync.web.access import is_loopback

_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound


def address_of(host: str, port: int) -> str:
    """Give what others are told of an address that is listened on."""
    return url_of(socket.gethostname() if host in _WILDCARDS else host, port)


async def writer_at(runtime: Runtime, account: str) -> str:
    """Give the address of the account's writer, where that is another process that can be reached; else ""."""
    try:
        holder = await runtime.state.writer(account)
    except StateError:
        return ""
    return holder.address if holder is not None and reachable(holder, runtime.owner) else ""


def reachable(holder: LeaseHolder, owner: str) -> bool:
    """Whether the process that signs as `owner` may reach the holder: a loopback is its machine's own."""
    if not holder.address or holder.owner == owner:
        return False
    here = holder.owner.partition(":")[0] == owner.partition(":")[0]
    return here or not is_loopback(urlsplit(holder.address).hostname or "")
