"""The status of accounts, as people are shown it."""

from dataclasses import replace
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.held_plan import by_urgency
from stocksync.core.model import Removal
from stocksync.core.report import orphaned_by
from stocksync.core.status import Side
from stocksync.ports import AccountStatus, Quarantined
from stocksync.state import approvals
from stocksync.state.cells import quarantined_of
from stocksync.state.codec import audit_of, locations_of
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
        managed=known.managed or 0,
        refused=known.refused,
        refusal=await _usual_refusal(connection, account),
        untracked=known.untracked or 0,
        catalogue=await _catalogue(connection, account),
        unauthorized_since=row.unauthorized_since if row else None,
        target_contact=row.target_contact if row else None,
        locations=locations_of(row.locations) if row else {},
        orphaned=orphaned_by(recent),
        altered=known.altered,
    )


def _is(account: str) -> Any:  # noqa: ANN401
    return accounts.c.account == account


def _counted(account: str) -> Any:  # noqa: ANN401
    entries = select(func.count()).select_from(quarantine).where(quarantine.c.account == account)
    known = select(func.count()).select_from(products).where(products.c.account == account)
    held = cells.c.acked.is_not(None) & cells.c.acked.not_in([removal.value for removal in Removal])
    untracked = products.c.tracked.is_(False) & products.c.gone_at.is_(None)
    of_cell = (products.c.account == cells.c.account) & (products.c.product_id == cells.c.product_id)
    return (
        select(
            func.sum(case((held, 1), else_=0)).label("managed"),
            func.sum(case((untracked, 1), else_=0)).label("untracked"),
            _refused(account).label("refused"),
            func.count().label("cells"),
            func.count(cells.c.unknown_since).label("unknown"),
            func.min(cells.c.unknown_since).label("oldest_unknown"),
            func.min(cells.c.intended_at).label("intended"),
            func.count(cells.c.sent).label("altered"),
            entries.scalar_subquery().label("quarantined"),
            known.scalar_subquery().label("products"),
        )
        .select_from(cells.outerjoin(products, of_cell))
        .where(cells.c.account == account)
    )


def _refused(account: str) -> Any:  # noqa: ANN401
    """Count cells: those set aside one by one, those of products set aside whole, and one for each without cells."""
    mine = (quarantine.c.account == account) & (quarantine.c.side != Side.COLUMN)
    single = select(func.count()).where(mine, quarantine.c.whole.is_(False)).scalar_subquery()
    whole = select(quarantine.c.product_id).where(mine, quarantine.c.whole.is_(True))
    covered = select(func.count()).where(cells.c.account == account, cells.c.product_id.in_(whole)).scalar_subquery()
    with_cells = select(cells.c.product_id).where(cells.c.account == account)
    bare = mine & quarantine.c.whole.is_(True) & quarantine.c.product_id.not_in(with_cells)
    return single + covered + select(func.count()).where(bare).scalar_subquery()


async def _usual_refusal(connection: AsyncConnection, account: str) -> str:
    number = func.count()
    query = select(quarantine.c.reason).where(quarantine.c.account == account, quarantine.c.side != Side.COLUMN)
    query = query.group_by(quarantine.c.reason).order_by(number.desc(), quarantine.c.reason).limit(1)
    return (await connection.execute(query)).scalar() or ""


async def _catalogue(connection: AsyncConnection, account: str) -> dict[str, int]:
    there, gone = products.c.gone_at.is_(None), products.c.gone_at.is_not(None)
    states = {
        "tracked": there & products.c.tracked.is_(True),
        "untracked": there & products.c.tracked.is_(False),
        "missing": there & (products.c.missing > 0),
        "gone": gone,
    }
    sums = [func.sum(case((state, 1), else_=0)).label(name) for name, state in states.items()]
    bad = select(func.count()).where(quarantine.c.account == account, quarantine.c.side == Side.SOURCE)
    query = select(*sums, bad.scalar_subquery().label("bad")).where(products.c.account == account)
    return {name: int(number or 0) for name, number in (await connection.execute(query)).mappings().one().items()}


async def _oldest_quarantined(connection: AsyncConnection, account: str) -> list[Quarantined]:
    of_entry = (products.c.account == quarantine.c.account) & (products.c.product_id == quarantine.c.product_id)
    query = select(quarantine, products.c.sku, products.c.name).select_from(quarantine.outerjoin(products, of_entry))
    query = query.where(quarantine.c.account == account).order_by(quarantine.c.first_at, quarantine.c.product_id)
    rows = (await connection.execute(query.limit(_QUARANTINE))).all()
    return [replace(quarantined_of(row), sku=row.sku or "", name=row.name or "") for row in rows]
