"""Held plans, and what people decided on them: kept as long as the ledger, used up by acknowledgement alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, insert, select
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan, plan_for
from stocksync.core.model import Cell, Change, show
from stocksync.errors import PlanChanged
from stocksync.state.codec import plan_blob, plan_of
from stocksync.state.schema import decided_cells, decisions, waiting_plans
from stocksync.state.session import execute_by_key, replacing, upsert
from stocksync.state.types import database_now

_SHOWN = 50
"""Decisions that are searched for those about one product."""
DECIDED = exists().where(decided_cells.c.account == bindparam("of"))
"""Whether anything of an account is decided and not done."""


async def hold(
    connection: AsyncConnection, account: str, cause: str, plan: HeldPlan | None, lapsed: Sequence[HeldPlan]
) -> HeldPlan | None:
    """Make `plan` the one that waits for a person, and end the decisions that no longer fit; give it as it is stored.

    What a person decided since the plan was made stands: it is not asked again. An id that was shown meanwhile stays.
    """
    mine = and_(waiting_plans.c.account == account, waiting_plans.c.cause == cause)
    before = (await connection.execute(select(waiting_plans).where(mine).with_for_update())).first()
    for ended in lapsed:
        keys = [(*held.change.cell, show(held.change.after)) for held in ended.changes]
        of_plan = and_(decisions.c.account == ended.account, decisions.c.plan_id == ended.plan_id)
        decided = decided_cells.c.decision_id.in_(select(decisions.c.id).where(of_plan))
        await _end(connection, and_(decided_cells.c.account == account, decided), keys)
    if plan is not None:
        of_cause = and_(decisions.c.id == decided_cells.c.decision_id, decisions.c.cause == plan.cause)
        query = select(decided_cells.c.product_id, decided_cells.c.place, decided_cells.c.after)
        query = query.join(decisions, of_cause).where(decided_cells.c.account == plan.account).with_for_update()
        taken = {(Cell(row.product_id, row.place), row.after) for row in (await connection.execute(query)).all()}
        if taken:
            left = tuple(held for held in plan.changes if (held.change.cell, show(held.change.after)) not in taken)
            plan = replace(plan, changes=left) if left else None
    if plan is not None and before is not None and plan.continues(_waiting(before)):
        plan = plan.as_episode_of(_waiting(before))
    stored = None if before is None else (before.plan_id, before.plan)
    if stored != (None if plan is None else (plan.plan_id, plan_blob(plan))):
        await _replace_waiting(connection, account, cause, plan)
    return plan


async def plans(connection: AsyncConnection, account: str | None = None) -> list[HeldPlan]:
    """List what waits, then what was decided and is not done: of one account or of all."""
    query = select(waiting_plans).order_by(waiting_plans.c.account, waiting_plans.c.cause.desc())
    if account is not None:
        query = query.where(waiting_plans.c.account == account)
    waiting = [_waiting(row) for row in (await connection.execute(query)).all()]
    return waiting + [plan for _, plan in await _decided(connection, account)]


async def decide(
    connection: AsyncConnection,
    plan_id: str,
    decision: Decision,
    by: str,
    *,
    fingerprint: str | None = None,
    guard: Guard | None = None,
) -> HeldPlan:
    """Record a person's decision on the plan of this id, or of the only id that begins so, or on a guard's part of it.

    Raises:
        NotFound: no such plan waits or stands.
        PlanChanged: its figures are not those that the person saw.

    """
    waiting = [_waiting(row) for row in (await connection.execute(select(waiting_plans).with_for_update())).all()]
    standing = await _decided(connection, None)
    found = plan_for([*waiting, *(plan for _, plan in standing)], plan_id, None, guard)
    if fingerprint is not None and found.fingerprint != fingerprint:
        raise PlanChanged(f"the figures of plan {found.plan_id} have changed since they were shown: look again")
    for plan in waiting:
        if plan.plan_id == found.plan_id:
            await _replace_waiting(connection, plan.account, plan.cause, plan.only(plan.cells - found.cells))
    for number, plan in standing:
        if plan.plan_id == found.plan_id:
            keys = [(*held.change.cell, show(held.change.after)) for held in plan.only(found.cells).changes]
            await _end(connection, decided_cells.c.decision_id == number, keys)
    at = (await connection.execute(select(database_now()))).scalar_one()
    decided = replace(found, decision=decision, decided_by=by, decided_at=at)
    await _record(connection, decided)
    return decided


async def any_decided(connection: AsyncConnection, account: str) -> bool:
    """Tell whether anything of an account is decided and not done."""
    return bool((await connection.execute(select(DECIDED), {"of": account})).scalar())


async def use_up(connection: AsyncConnection, account: str, applied: Sequence[Change]) -> None:
    """End what was decided about cells whose very figure is acknowledged now."""
    cells = [(*change.cell, show(change.after)) for change in applied]
    await _end(connection, decided_cells.c.account == account, cells)


async def decisions_on(connection: AsyncConnection, account: str, product_id: int) -> list[HeldPlan]:
    """List the decisions on plans that touched a product, newest first, each cut to its changes."""
    query = select(decisions).where(decisions.c.account == account).order_by(decisions.c.id.desc()).limit(_SHOWN)
    found = []
    for row in (await connection.execute(query)).all():
        plan = _plan(row)
        touched = tuple(held for held in plan.changes if held.change.product_id == product_id)
        if touched:
            found.append(replace(plan, changes=touched))
    return found


async def forget(connection: AsyncConnection, account: str, before: datetime) -> None:
    """Delete decisions older than `before`, save for those that still stand."""
    stands = exists().where(decided_cells.c.decision_id == decisions.c.id)
    old = and_(decisions.c.account == account, decisions.c.decided_at < before)
    await connection.execute(delete(decisions).where(old, ~stands))


async def _replace_waiting(connection: AsyncConnection, account: str, cause: str, plan: HeldPlan | None) -> None:
    if plan is None or not plan.changes:
        mine = and_(waiting_plans.c.account == account, waiting_plans.c.cause == cause)
        await connection.execute(delete(waiting_plans).where(mine))
        return
    row = {"account": account, "cause": cause, "plan_id": plan.plan_id, "created_at": plan.created_at}
    row["plan"] = plan_blob(plan)
    await connection.execute(upsert(waiting_plans, connection.dialect.name, replacing(waiting_plans)), row)


async def _record(connection: AsyncConnection, plan: HeldPlan) -> None:
    row = {
        "account": plan.account,
        "plan_id": plan.plan_id,
        "cause": plan.cause,
        "created_at": plan.created_at,
        "plan": plan_blob(plan),
        "decision": plan.decision,
        "decided_by": plan.decided_by,
        "decided_at": plan.decided_at,
    }
    number = (await connection.execute(insert(decisions).values(**row))).inserted_primary_key
    if number is None:
        raise RuntimeError("the state database gave a decision no number; please report this")
    rows = [
        {
            "account": plan.account,
            "decision_id": number[0],
            "product_id": held.change.product_id,
            "place": held.change.place,
            "after": show(held.change.after),
        }
        for held in plan.changes
    ]
    if rows:
        await connection.execute(insert(decided_cells), rows)


async def _decided(connection: AsyncConnection, account: str | None) -> list[tuple[int, HeldPlan]]:
    query = select(decided_cells.c.decision_id, decided_cells.c.product_id, decided_cells.c.place)
    if account is not None:
        query = query.where(decided_cells.c.account == account)
    left: dict[int, list[Cell]] = {}
    for row in (await connection.execute(query)).all():
        left.setdefault(row.decision_id, []).append(Cell(row.product_id, row.place))
    found = select(decisions).where(decisions.c.id.in_(left)).order_by(decisions.c.account, decisions.c.id.desc())
    rows = (await connection.execute(found)).all() if left else []
    return [(row.id, _plan(row).only(left[row.id])) for row in rows]


async def _end(connection: AsyncConnection, mine: ColumnElement[bool], keys: Sequence[tuple[int, str, str]]) -> None:
    columns = (decided_cells.c.product_id, decided_cells.c.place, decided_cells.c.after)
    await execute_by_key(connection, delete(decided_cells).where(mine), columns, keys)


def _waiting(row: ResultRow[Any]) -> HeldPlan:
    reasons, changes = plan_of(row.plan)
    return HeldPlan(row.account, row.plan_id, row.created_at, reasons, changes, cause=row.cause)


def _plan(row: ResultRow[Any]) -> HeldPlan:
    decision = Decision(row.decision)
    return replace(_waiting(row), decision=decision, decided_by=row.decided_by, decided_at=row.decided_at)
