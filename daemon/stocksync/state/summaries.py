"""How thousands of accounts stand, by one statement: their rows, and what their last complete cycles counted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.health import reason_of
from stocksync.core.held_plan import HeldPlan, by_urgency
from stocksync.core.report import orphaned_by
from stocksync.ports import AccountStatus
from stocksync.state import approvals
from stocksync.state.codec import audit_of, report_of
from stocksync.state.cycles import last_attempt
from stocksync.state.schema import accounts, cycles, quarantine, waiting_plans
from stocksync.state.types import database_now
from stocksync.threads import off_loop


async def summaries(connection: AsyncConnection, asked: Sequence[str]) -> list[AccountStatus]:
    """Give the status of these accounts, in the order asked, without what takes a look at their cells.

    Counts are those of the last complete cycle, which is the only one that is given; no quarantine entry is. Where a
    plan waits anywhere, a second statement reads the plans.
    """
    rows = {row.account: row for row in await connection.execute(_QUERY)}
    wanted = [rows[name] for name in asked if name in rows]
    plans: dict[str, list[HeldPlan]] = {}
    if any(row.plans for row in wanted):
        for plan in by_urgency(await approvals.plans(connection)):
            plans.setdefault(plan.account, []).append(plan)
    return await off_loop(len(asked), lambda: [_status(name, rows.get(name), plans.get(name, [])) for name in asked])


def _latest_complete() -> Any:  # noqa: ANN401  SQLAlchemy's own type
    of_account = (cycles.c.account == accounts.c.account) & cycles.c.complete.is_(True)
    newest = select(cycles.c.cycle_id).where(of_account).order_by(cycles.c.started_at.desc()).limit(1)
    return newest.correlate(accounts).scalar_subquery()


def _query() -> Any:  # noqa: ANN401  as above
    entries = select(quarantine.c.account, func.count().label("entries")).group_by(quarantine.c.account).subquery()
    waiting = select(waiting_plans.c.account, func.count().label("plans")).group_by(waiting_plans.c.account).subquery()
    joined = (
        accounts.outerjoin(cycles, (cycles.c.account == accounts.c.account) & (cycles.c.cycle_id == _latest_complete()))
        .outerjoin(entries, entries.c.account == accounts.c.account)
        .outerjoin(waiting, waiting.c.account == accounts.c.account)
    )
    columns = (
        cycles.c.report, entries.c.entries, waiting.c.plans, database_now().label("now"),
        last_attempt().label("last_attempt"),
    )  # fmt: skip
    return select(accounts, *columns).select_from(joined)


_QUERY = _query()


def _status(account: str, row: Row[Any] | None, plans: Sequence[HeldPlan]) -> AccountStatus:
    report = None if row is None or row.report is None else report_of(row.report)
    counted = report.cells if report else {}
    leased = row is not None and row.owner != "" and row.expires_at > row.now
    return AccountStatus(
        account=account,
        owner=row.owner if row is not None and leased else "",
        epoch=row.epoch if row is not None else 0,
        leased_until=row.expires_at if row is not None and leased else None,
        last_attempt=row and row.last_attempt,
        last_complete=row and row.last_complete,
        last_push=row and row.last_push,
        oldest_unpushed=None,
        consecutive_failures=row.failures if row is not None else 0,
        cycles=[report] if report else [],
        held=plans[0] if plans else None,
        held_too=plans[1:],
        quarantine=[],
        quarantined=(row.entries or 0) if row is not None else 0,
        unknown=counted.get("unknown", 0),
        oldest_unknown=None,
        cells=report.counts.read if report else 0,
        products=sum(report.products.get(state, 0) for state in ("tracked", "untracked")) if report else 0,
        audit=audit_of(row.audit) if row is not None else None,
        managed=counted.get("managed", 0),
        refused=counted.get("quarantined", 0),
        refusal=reason_of(report.refusal) if report else "",
        catalogue=report.products if report else {},
        orphaned=orphaned_by([report] if report else []),
        unauthorized_since=row and row.unauthorized_since,
        target_contact=row and row.target_contact,
    )
