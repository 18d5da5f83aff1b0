"""Who may write: a lease per account, by the database's clock, checked inside every commit."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, insert, select, text, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.errors import LeaseLost
from stocksync.ports import Lease
from stocksync.state.schema import accounts
from stocksync.state.types import database_now, instant

_LOCK_SECONDS = 8
_IDLE_SECONDS = 10
_NEVER = instant(0)

LeaseRow = Row[*tuple[Any, ...]]


async def fence(connection: AsyncConnection, lease: Lease) -> datetime:
    """Lock the lease's row until this transaction ends, and give the database's time.

    Raises:
        LeaseLost: the lease is another's, or has run out.

    """
    row = await _locked(connection, lease.account)
    # Asked after the lock was got: a statement that waited for it would tell the time at which it began to wait.
    now = await _now(connection)
    _check(row, lease, now)
    return now


async def confirm(connection: AsyncConnection, lease: Lease, margin: timedelta) -> None:
    """Look at the lease without locking it: it must have `margin` more to run.

    Raises:
        LeaseLost: the lease is another's, or has less than `margin` to run.

    """
    row = (await connection.execute(_lease_of(lease.account))).first()
    _check(row, lease, await _now(connection) + margin)


async def claim(
    connection: AsyncConnection, account: str, owner: str, ttl: timedelta, *, alone: bool = False
) -> Lease | None:
    """Take or keep the lease; a change of owner, or a gap, makes a new epoch.

    All writers of one state claim with the same `ttl`; a lease that would outlive it is not believed. `alone`: the
    operating system proves that no other writer lives, so a lease of another one is a dead one's.
    """
    row = await _locked(connection, account)
    now = await _now(connection)
    if row is None:
        first = {"account": account, "owner": owner, "epoch": 1, "expires_at": now + ttl, "failures": 0}
        await connection.execute(insert(accounts), first)
        return Lease(account, owner, 1)
    # No claim ever dates a lease further ahead: one that is was dated by a clock that has been set right since.
    held = now < row.expires_at <= now + ttl
    if held and row.owner != owner and not alone:
        return None
    epoch = row.epoch if held and row.owner == owner else row.epoch + 1
    await _set(connection, account, owner=owner, epoch=epoch, expires_at=now + ttl)
    return Lease(account, owner, epoch)


async def renew(connection: AsyncConnection, lease: Lease, ttl: timedelta) -> None:
    """Extend a lease that is still ours."""
    now = await fence(connection, lease)
    await _set(connection, lease.account, expires_at=now + ttl)


async def release(connection: AsyncConnection, lease: Lease) -> None:
    """End a lease where it is still ours."""
    ours = (accounts.c.account == lease.account, accounts.c.owner == lease.owner, accounts.c.epoch == lease.epoch)
    await connection.execute(update(accounts).where(*ours).values(owner="", expires_at=_NEVER))


def _check(row: LeaseRow | None, lease: Lease, until: datetime) -> None:
    if row is None or (row.owner, row.epoch) != (lease.owner, lease.epoch):
        raise LeaseLost(f"account {lease.account}: another writer took over; this one writes nothing more")
    if row.expires_at <= until:
        raise LeaseLost(f"account {lease.account}: the lease has run out; nothing is written until it is claimed again")


def _lease_of(account: str) -> Select[Any]:
    return select(accounts.c.owner, accounts.c.epoch, accounts.c.expires_at).where(accounts.c.account == account)


async def _locked(connection: AsyncConnection, account: str) -> LeaseRow | None:
    await limit_waiting(connection)
    row: LeaseRow | None = (await connection.execute(_lease_of(account).with_for_update())).first()
    if connection.dialect.name == "postgresql":
        await connection.execute(_POSTGRESQL_UNLIMITED)
    return row


async def _now(connection: AsyncConnection) -> datetime:
    return (await connection.execute(select(database_now()))).scalar_one()


async def _set(connection: AsyncConnection, account: str, **values: object) -> None:
    await connection.execute(update(accounts).where(accounts.c.account == account).values(**values))


async def limit_waiting(connection: AsyncConnection) -> None:
    """Bound how long this transaction waits for a row, and how long others wait for one that it has locked."""
    # A writer frozen in the middle of a commit would keep the row, and so the account, locked for ever. What it had
    # waiting for the row gives up before its commit is rolled back, or would be next to get it and to sleep on it.
    if connection.dialect.name == "postgresql":
        await connection.execute(_POSTGRESQL_LIMITS, {"lock": f"{_LOCK_SECONDS}s", "idle": f"{_IDLE_SECONDS}s"})
    elif getattr(connection.dialect, "is_mariadb", False):
        await connection.execute(_MARIADB_LIMITS, {"lock": _LOCK_SECONDS, "idle": _IDLE_SECONDS})


_POSTGRESQL_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock, true),"
    # Its lock_timeout begins anew at each lock, and a row that others wait for too takes two.
    " set_config('statement_timeout', :lock, true), set_config('idle_in_transaction_session_timeout', :idle, true)"
)
_POSTGRESQL_UNLIMITED = text("SELECT set_config('statement_timeout', NULL, true)")
_MARIADB_LIMITS = text("SET SESSION innodb_lock_wait_timeout = :lock, idle_transaction_timeout = :idle")
