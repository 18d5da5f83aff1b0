"""Who may write: leases, claimed for whole sync groups, by the database's clock, checked inside every commit."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.errors import LeaseLost
from stocksync.frozen_sessions import end_frozen_sessions
from stocksync.ports import Lease, LeaseHolder
from stocksync.state.lock_limits import lock, now
from stocksync.state.schema import accounts
from stocksync.state.session import chunks
from stocksync.state.types import database_now, instant

_NEVER = instant(0)

_LEASE = select(
    *(accounts.c[name] for name in ("owner", "epoch", "expires_at", "failures", "unauthorized_since", "recent_totals"))
).where(accounts.c.account == bindparam("of"))
_SIGNED = (
    accounts.c.account == bindparam("of"),
    accounts.c.owner == bindparam("by"),
    accounts.c.epoch == bindparam("under"),
)
HELD = (*_SIGNED, accounts.c.expires_at > database_now())
"""The conditions under which a row shows that a lease is in force; `signed` gives their values."""

LeaseRow = Row[*tuple[Any, ...]]
Group = Sequence[str]


class Fenced(NamedTuple):
    """A lease whose row is locked until its transaction ends."""

    now: datetime
    """The database's time, after the row was locked."""
    row: LeaseRow
    """The account as it stands: whose the lease is, and what a cycle's end adds to."""


async def fence(connection: AsyncConnection, lease: Lease) -> Fenced:
    """Lock the lease's row until this transaction ends.

    Raises:
        LeaseLost: the lease is another's, or has run out.

    """
    row, at = await _locked(connection, lease.account)
    return Fenced(at, _checked(row, lease, at))


@asynccontextmanager
async def fenced(connection: AsyncConnection, lease: Lease) -> AsyncIterator[Fenced]:
    """Fence what is done in this transaction, and extend the lease before it commits where little of it is left.

    While the row is held nobody can claim and no renewal comes through: a commit that takes longer than the lease lasts
    must leave a lease that lasts.

    Raises:
        LeaseLost: the lease is another's, or has run out.

    """
    got = await fence(connection, lease)
    began, left = time.monotonic(), got.row.expires_at - got.now
    yield got
    if left.total_seconds() - (time.monotonic() - began) < lease.ttl.total_seconds() / 2:
        await extend(connection, lease)


def signed(lease: Lease) -> dict[str, object]:
    """Give the values by which a lease's row is known."""
    return {"of": lease.account, "by": lease.owner, "under": lease.epoch}


async def confirm(connection: AsyncConnection, lease: Lease, margin: timedelta) -> None:
    """Look at the lease without locking it: it must have `margin` more to run.

    Raises:
        LeaseLost: the lease is another's, or has less than `margin` to run.

    """
    row = (await connection.execute(_LEASE.add_columns(database_now().label("now")), {"of": lease.account})).first()
    _checked(row, lease, margin + (_NEVER if row is None else row.now))


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims; all writers of one state claim for the same time."""

    owner: str
    ttl: timedelta
    address: str = ""
    """Where look-ups reach it."""
    alone: bool = False
    """The operating system proves that no other writer lives, so that a lease of another one is a dead one's."""

    def has(self, row: LeaseRow, now: datetime) -> bool:
        """Whether a lease is its own, and in force."""
        return bool(row.owner == self.owner and self._in_force(row, now))

    def must_wait(self, row: LeaseRow, now: datetime) -> bool:
        """Whether a lease is another's, and in force."""
        return row.owner != self.owner and not self.alone and self._in_force(row, now)

    def _in_force(self, row: LeaseRow, now: datetime) -> bool:
        return in_force(row.expires_at, now, self.ttl)


def in_force(expires_at: datetime, now: datetime, ttl: timedelta) -> bool:
    """Whether what is claimed for `ttl` has not run out."""
    # No claim ever dates it further ahead: one that is was dated by a clock that has been set right since.
    return now < expires_at <= now + ttl


async def free(connection: AsyncConnection, groups: Sequence[Group], claimant: Claimant) -> list[Group]:
    """Choose the groups that a claim could get, by one look that locks nothing; end what frozen owners hold."""
    rows: dict[str, LeaseRow] = {}
    columns = accounts.c.account, accounts.c.owner, accounts.c.epoch, accounts.c.expires_at
    for chunk in chunks(sorted({account for group in groups for account in group})):
        found = await connection.execute(select(*columns).where(accounts.c.account.in_(chunk)))
        rows |= {row.account: row for row in found}
    at = await now(connection)
    waits = {account for account, row in rows.items() if claimant.must_wait(row, at)}
    chosen = [group for group in groups if waits.isdisjoint(group)]
    owners = {rows[account].owner for group in chosen for account in group if account in rows}
    if owners - {claimant.owner, ""}:
        await end_frozen_sessions(connection)
    return chosen


async def claim(connection: AsyncConnection, group: Group, claimant: Claimant) -> list[Lease]:
    """Take or keep the leases of a group, all or none; a change of owner, or a gap, makes a new epoch."""
    # In one order, or two processes that know a group by different accounts could wait for each other.
    locked = {account: await _locked(connection, account) for account in sorted(group)}
    rows, at = {account: row for account, (row, _) in locked.items()}, max(time for _, time in locked.values())
    if any(row is not None and claimant.must_wait(row, at) for row in rows.values()):
        return []
    leases, until = [], at + claimant.ttl
    for account, row in rows.items():
        epoch = 1 if row is None else row.epoch if claimant.has(row, at) else row.epoch + 1
        values = {"owner": claimant.owner, "epoch": epoch, "expires_at": until, "address": claimant.address}
        if row is None:
            # What stood in the target before its first writer came, nobody knows.
            first = {"account": account, "failures": 0, "ledger_from": at}
            await connection.execute(insert(accounts), first | values)
        else:
            await _set(connection, account, **values)
        leases.append(Lease(account, claimant.owner, epoch, claimant.ttl))
    return leases


async def renew(connection: AsyncConnection, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
    """Extend all leases that are still ours, by one statement; give those that are.

    A lease whose row a commit of ours holds is left to that commit, which extends it: this waits for nothing.
    """
    kept: list[Lease] = []
    columns = accounts.c.account, accounts.c.owner, accounts.c.epoch, accounts.c.expires_at
    for chunk in chunks(held):
        rows = select(*columns).where(accounts.c.account.in_([lease.account for lease in chunk]))
        locked = {row.account for row in await connection.execute(rows.with_for_update(skip_locked=True))}
        at = await now(connection)
        known = {row.account: row for row in await connection.execute(rows)}
        found = [
            lease
            for lease in chunk
            if (row := known.get(lease.account)) is not None
            and (row.owner, row.epoch) == (lease.owner, lease.epoch)
            and (row.expires_at > at or lease.account not in locked)
        ]
        ours = [lease.account for lease in found if lease.account in locked]
        if ours:
            await connection.execute(update(accounts).where(accounts.c.account.in_(ours)).values(expires_at=at + ttl))
        kept += found
    return kept


async def extend(connection: AsyncConnection, lease: Lease) -> None:
    """Extend a lease that this transaction has fenced, whose row it holds."""
    await _set(connection, lease.account, expires_at=await now(connection) + lease.ttl)


async def holder(connection: AsyncConnection, account: str) -> LeaseHolder | None:
    """Tell who holds the lease now."""
    query = select(accounts.c.owner, accounts.c.address).where(
        accounts.c.account == account, accounts.c.owner != "", accounts.c.expires_at > database_now()
    )
    row = (await connection.execute(query)).first()
    return None if row is None else LeaseHolder(row.owner, row.address or "")


async def release(connection: AsyncConnection, lease: Lease) -> None:
    """End a lease where it is still ours."""
    await connection.execute(update(accounts).where(*_SIGNED).values(owner="", expires_at=_NEVER), signed(lease))


def _checked(row: LeaseRow | None, lease: Lease, until: datetime) -> LeaseRow:
    if row is None or (row.owner, row.epoch) != (lease.owner, lease.epoch):
        raise LeaseLost(f"account {lease.account}: another writer took over; this one writes nothing more")
    if row.expires_at <= until:
        raise LeaseLost(f"account {lease.account}: the lease has run out; nothing is written until it is claimed again")
    return row


async def _locked(connection: AsyncConnection, account: str) -> tuple[LeaseRow | None, datetime]:
    return await lock(connection, _LEASE, {"of": account})


async def _set(connection: AsyncConnection, account: str, **values: object) -> None:
    await connection.execute(update(accounts).where(accounts.c.account == account).values(**values))
