"""Leases of groups of one account, as most tests need them."""

from datetime import timedelta
from typing import Any

from stocksync.errors import LeaseLost
from stocksync.ports import Lease


async def claim(state: Any, account: str, owner: str, ttl: timedelta) -> Lease | None:
    """Take or keep the lease of one account; None while another's has not run out."""
    claimed: list[Lease] = await state.claim([[account]], owner, ttl)
    return claimed[0] if claimed else None


async def renew(state: Any, lease: Lease, ttl: timedelta) -> None:
    """Extend a lease.

    Raises:
        LeaseLost: it is no longer ours.

    """
    if not await state.renew([lease], ttl):
        raise LeaseLost(f"account {lease.account}: another writer took over; or the lease has run out")
