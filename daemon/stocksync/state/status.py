"""The status of accounts, as people are shown it."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.held_plan import by_urgency
from stocksync.core.report import orphaned_by
from stocksync.ports import AccountStatus, Quarantined
from stocksync.state import approvals
from stocksync.state.cells import quarantined_of
from stocksync.state.codec import audit_of
from stocksync.state.cycles import last_cycles
from stocksync.state.schema import accounts, cells, products, quarantine
from stocksync.state.types import database_now

_CYCLES = 10
_QUARANTINE = 100


async def status(connection: AsyncConnection, account: str) -> AccountStatus:
    """Gather what is shown of one account, with a handful of cheap queries."""
    row = (await connection.execute(select(accounts, database_now().label("now")).where(_is(account)))).first()
    known = (await connection.execute(_counted(account))).one()
    plans = by_urgency(await approvals.plans(connection, account))
    entries = await _oldest_quarantined(connection, account)
    leased = row is not None and row.owner != "" and row.expires_at > row.now
    recent = await last_cycles(connection, account, _CYCLES)
    return AccountStatus(
        account=account,
        owner=row.owner if row and leased else "",
        epoch=row.epoch if row else 0,
        leased_until=row.expires_at if row and leased else None,
        last_attempt=row.last_attempt if row else None,
        last_complete=row.last_complete if row else None,
        last_push=row.last_push if row else None,
        oldest_unpushed=known.intended,
        consecutive_failures=row.failures if row else 0,
        cycles=recent,
        held=plans[0] if plans else None,
        held_too=plans[1:],
        quarantine=entries,
        quarantined=known.quarantined,
        unknown=known.unknown,
        oldest_unknown=known.oldest_unknown,
        cells=known.cells,
        products=known.products,
        audit=audit_of(row.audit) if row else None,
        orphaned=orphaned_by(recent),
        altered=known.altered,
    )


def _is(account: str) -> Any:  # noqa: ANN401
    return accounts.c.account == account


def _counted(account: str) -> Any:  # noqa: ANN401
    entries = select(func.count()).select_from(quarantine).where(quarantine.c.account == account)
    known = select(func.count()).select_from(products).where(products.c.account == account)
    return select(
        func.count().label("cells"),
        func.count(cells.c.sent).label("altered"),
        func.count(cells.c.unknown_since).label("unknown"),
        func.min(cells.c.unknown_since).label("oldest_unknown"),
        func.min(cells.c.intended_at).label("intended"),
        entries.scalar_subquery().label("quarantined"),
        known.scalar_subquery().label("products"),
    ).where(cells.c.account == account)


async def _oldest_quarantined(connection: AsyncConnection, account: str) -> list[Quarantined]:
    mine = quarantine.c.account == account
    query = select(quarantine).where(mine).order_by(quarantine.c.first_at, quarantine.c.product_id).limit(_QUARANTINE)
    return [quarantined_of(row) for row in (await connection.execute(query)).all()]
