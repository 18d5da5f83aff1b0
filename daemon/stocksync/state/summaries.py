"""How thousands of accounts stand, by one statement: their rows, and what their last complete cycles counted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.health import reason_of
from stocksync.core.held_plan import HeldPlan, by_urgency
from stocksync.core.report import CycleReport, orphaned_by
from stocksync.ports import AccountStatus
from stocksync.state import approvals
from stocksync.state.codec import audit_of, report_of
from stocksync.state.cycles import last_attempt
from stocksync.state.schema import accounts, cells, cycles, quarantine, waiting_plans
from stocksync.state.session import chunks
from stocksync.state.status import on_its_way_since
from stocksync.state.types import database_now
from stocksync.threads import off_loop

_MOST_LOOKED_AT = 1000
"""Accounts whose cells and last cycle are looked at, where their last complete cycle does not tell all."""
_Ages = tuple[datetime | None, datetime | None]
"""Since when the oldest figure is on its way, and since when the oldest is unknown."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def summaries(connection: AsyncConnection, asked: Sequence[str]) -> list[AccountStatus]:
    """Give the status of these accounts, in the order asked, without what takes a look at their cells.

    Counts are those of the last complete cycle; no quarantine entry is given, only the age of the oldest. Of accounts
    whose last cycle failed or is still under way, or that have cells without a figure or set aside, a further
    statement tells since when: of a thousand of them, those first that were complete longest ago. Where a plan waits
    anywhere, one more reads the plans.
    """
    rows = {row.account: row for row in await connection.execute(_QUERY)}
    wanted = [rows[name] for name in asked if name in rows]
    plans: dict[str, list[HeldPlan]] = {}
    if any(row.plans for row in wanted):
        for plan in by_urgency(await approvals.plans(connection)):
            plans.setdefault(plan.account, []).append(plan)
    statuses = await off_loop(
        len(asked), lambda: [_status(name, rows.get(name), plans.get(name, [])) for name in asked]
    )
    counted = {status.account: status for status in statuses}
    in_doubt = (row.account for row in sorted(wanted, key=_completed) if _in_doubt(row, counted[row.account]))
    doubtful = list(islice(in_doubt, _MOST_LOOKED_AT))
    ages = await _ages(connection, doubtful)
    failed = await _last_cycles(connection, [name for name in doubtful if rows[name].failures])
    for name, (unpushed, unknown) in ages.items():
        counted[name] = replace(counted[name], oldest_unpushed=unpushed, oldest_unknown=unknown)
    for name, report in failed.items():
        counted[name] = replace(counted[name], cycles=[report, *counted[name].cycles])
    return [counted[name] for name in asked]


def _completed(row: Row[Any]) -> datetime:
    return row.last_complete or _LONG_AGO


def _in_doubt(row: Row[Any], status: AccountStatus) -> bool:
    """Whether figures may be on their way, set aside or unknown: whether its cells have to be looked at."""
    under_way = row.last_attempt is not None and row.last_attempt > _completed(row)
    return bool(
        row.failures or row.entries or under_way or any(cycle.cells.get("unknown", 1) for cycle in status.cycles)
    )


async def _ages(connection: AsyncConnection, doubtful: Sequence[str]) -> dict[str, _Ages]:
    """Tell since when the oldest figure is on its way, and since when the oldest is unknown."""
    query = select(
        cells.c.account,
        func.min(on_its_way_since()).label("intended"),
        func.min(cells.c.unknown_since).label("unknown"),
    ).group_by(cells.c.account)
    either = cells.c.intended_at.is_not(None) | cells.c.unknown_since.is_not(None)
    found = [await connection.execute(query.where(cells.c.account.in_(chunk), either)) for chunk in chunks(doubtful)]
    return {row.account: (row.intended, row.unknown) for result in found for row in result}


async def _last_cycles(connection: AsyncConnection, failing: Sequence[str]) -> dict[str, CycleReport]:
    """Give the cycle that ended last of each account that fails: it tells what the last complete one does not."""
    newest = cycles.alias("newest")
    ended = (newest.c.account == cycles.c.account) & newest.c.ended_at.is_not(None)
    latest = select(func.max(newest.c.started_at)).where(ended).correlate(cycles).scalar_subquery()
    query = select(cycles.c.account, cycles.c.report).where(cycles.c.started_at == latest)
    found = [await connection.execute(query.where(cycles.c.account.in_(chunk))) for chunk in chunks(failing)]
    return {row.account: report_of(row.report) for result in found for row in result}


def _query() -> Any:  # noqa: ANN401  SQLAlchemy's own type
    of_account = (cycles.c.account == accounts.c.account) & cycles.c.complete.is_(True)
    newest = select(cycles.c.cycle_id).where(of_account).order_by(cycles.c.started_at.desc()).limit(1)
    latest = newest.correlate(accounts).scalar_subquery()
    entries = (
        select(quarantine.c.account, func.count().label("entries"), func.min(quarantine.c.first_at).label("oldest"))
        .group_by(quarantine.c.account)
        .subquery()
    )
    waiting = select(waiting_plans.c.account, func.count().label("plans")).group_by(waiting_plans.c.account).subquery()
    joined = (
        accounts.outerjoin(cycles, (cycles.c.account == accounts.c.account) & (cycles.c.cycle_id == latest))
        .outerjoin(entries, entries.c.account == accounts.c.account)
        .outerjoin(waiting, waiting.c.account == accounts.c.account)
    )
    columns = (
        cycles.c.report, entries.c.entries, entries.c.oldest, waiting.c.plans, database_now().label("now"),
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
        oldest_quarantined=row and row.oldest,
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
