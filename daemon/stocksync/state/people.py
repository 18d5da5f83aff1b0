"""What people see and say: held plans with their decisions, and the status of accounts."""

from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.guards import Decision, HeldPlan
from stocksync.core.report import orphaned_by
from stocksync.errors import NotFound
from stocksync.ports import AccountStatus, Quarantined
from stocksync.state.cells import quarantined_of
from stocksync.state.codec import audit_of, plan_blob, plan_of
from stocksync.state.cycles import last_cycles
from stocksync.state.schema import accounts, cells, held_plans, products, quarantine
from stocksync.state.session import replacing, upsert
from stocksync.state.types import database_now

_CYCLES = 10
_QUARANTINE = 100


async def hold(connection: AsyncConnection, account: str, plan: HeldPlan | None) -> None:
    """Make `plan` the one that is held; the same plan keeps its age and what was said to it."""
    if plan is None:
        await connection.execute(delete(held_plans).where(held_plans.c.account == account))
        return
    standing = select(held_plans.c.plan_id).where(held_plans.c.account == account).with_for_update()
    if (await connection.execute(standing)).scalar() == plan.plan_id:
        return
    row = {
        "account": account,
        "plan_id": plan.plan_id,
        "created_at": plan.created_at,
        "plan": plan_blob(plan),
        "decision": Decision.WAITING,
        "decided_by": "",
        "decided_at": None,
    }
    await connection.execute(upsert(held_plans, connection, replacing(held_plans)), row)


async def held(connection: AsyncConnection, account: str | None = None) -> list[HeldPlan]:
    """List the held plans, of one account or of all."""
    query = select(held_plans).order_by(held_plans.c.account)
    if account is not None:
        query = query.where(held_plans.c.account == account)
    return [_plan(row) for row in (await connection.execute(query)).all()]


async def decide(connection: AsyncConnection, plan_id: str, decision: Decision, by: str) -> HeldPlan:
    """Record a person's word to the plan of this id, while it is held."""
    query = select(held_plans).where(held_plans.c.plan_id == plan_id).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"no plan {plan_id} is held (any more); `stocksync plan` shows what is")
    at = (await connection.execute(select(database_now()))).scalar_one()
    said = {"decision": decision, "decided_by": by, "decided_at": at}
    await connection.execute(update(held_plans).where(held_plans.c.plan_id == plan_id).values(**said))
    return replace(_plan(row), decision=decision, decided_by=by, decided_at=at)


async def status(connection: AsyncConnection, account: str) -> AccountStatus:
    """Gather what is shown of one account, with a handful of cheap queries."""
    row = (await connection.execute(select(accounts, database_now().label("now")).where(_is(account)))).first()
    known = (await connection.execute(_counted(account))).one()
    plans = await held(connection, account)
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
        func.count(cells.c.unknown_since).label("unknown"),
        func.min(cells.c.unknown_since).label("oldest_unknown"),
        func.min(cells.c.intended_at).label("intended"),
        func.count(cells.c.sent).label("altered"),
        entries.scalar_subquery().label("quarantined"),
        known.scalar_subquery().label("products"),
    ).where(cells.c.account == account)


async def _oldest_quarantined(connection: AsyncConnection, account: str) -> list[Quarantined]:
    mine = quarantine.c.account == account
    query = select(quarantine).where(mine).order_by(quarantine.c.first_at, quarantine.c.product_id).limit(_QUARANTINE)
    return [quarantined_of(row) for row in (await connection.execute(query)).all()]


def _plan(row: ResultRow[Any]) -> HeldPlan:
    reasons, changes = plan_of(row.plan)
    return HeldPlan(
        account=row.account,
        plan_id=row.plan_id,
        created_at=row.created_at,
        reasons=reasons,
        changes=changes,
        decision=Decision(row.decision),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
