"""Cycles and audits: what each said of itself, and for how long that is kept."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.completeness import PageSpans
from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport
from stocksync.state import approvals
from stocksync.state.codec import report_of, report_text
from stocksync.state.schema import accounts, cycles, ledger
from stocksync.state.session import Row, replacing, upsert

_TOTALS = 10


async def begin(connection: AsyncConnection, report: CycleReport) -> None:
    """Record an attempt."""
    await _store(connection, report)
    await _note(connection, report.account, last_attempt=report.started_at)


async def end(connection: AsyncConnection, report: CycleReport, now: datetime) -> None:
    """Record the end, and what it means for the account."""
    await _store(connection, report)
    query = select(accounts.c.failures, accounts.c.unauthorized_since).where(accounts.c.account == report.account)
    before = (await connection.execute(query)).one()
    values: Row = {
        "failures": report.failures_after(before.failures),
        "unauthorized_since": report.unauthorized_since(before.unauthorized_since),
    }
    if report.target_contact is not None:
        values["target_contact"] = report.target_contact
    if report.complete:
        values["last_complete"] = report.ended_at or now
        values["weighed_at"] = now
    await _note(connection, report.account, **values)


async def forget(connection: AsyncConnection, account: str, before: datetime) -> None:
    """Delete ledger rows, decisions and cycles older than `before`."""
    await approvals.forget(connection, account, before)
    await connection.execute(delete(ledger).where(ledger.c.account == account, ledger.c.at < before))
    whole = or_(accounts.c.ledger_from.is_(None), accounts.c.ledger_from < before)
    await connection.execute(update(accounts).where(accounts.c.account == account, whole).values(ledger_from=before))
    await connection.execute(delete(cycles).where(cycles.c.account == account, cycles.c.started_at < before))


async def record_audit(connection: AsyncConnection, report: AuditReport) -> None:
    """Keep the last audit."""
    await _note(connection, report.account, audit=report_text(report))


async def recent_totals(connection: AsyncConnection, account: str) -> list[int]:
    """Give the catalogue's usual size by the last cycles that may measure it, oldest first."""
    measures = (cycles.c.account == account, cycles.c.total.is_not(None))
    query = select(cycles.c.total).where(*measures).order_by(cycles.c.started_at.desc()).limit(_TOTALS)
    return [total for (total,) in (await connection.execute(query)).all()][::-1]


async def last_cycles(connection: AsyncConnection, account: str, limit: int) -> list[CycleReport]:
    """Give the last cycles that ended, newest first."""
    ended = (cycles.c.account == account, cycles.c.ended_at.is_not(None))
    query = select(cycles.c.report).where(*ended).order_by(cycles.c.started_at.desc()).limit(limit)
    return [report_of(text) for (text,) in (await connection.execute(query)).all()]


async def left_unread(connection: AsyncConnection, account: str) -> PageSpans:
    """Give the pages that the last reading had no time for."""
    read = (cycles.c.account == account, cycles.c.ended_at.is_not(None), cycles.c.verdict.is_not(None))
    query = select(cycles.c.report).where(*read).order_by(cycles.c.started_at.desc()).limit(1)
    last = (await connection.execute(query)).scalar_one_or_none()
    return () if last is None else report_of(last).unread


async def _store(connection: AsyncConnection, report: CycleReport) -> None:
    row: Row = {
        "account": report.account,
        "cycle_id": report.cycle_id,
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "verdict": report.verdict,
        "outcome": report.outcome,
        "complete": report.complete,
        "total": report.usual_total,
        "report": report_text(report),
    }
    await connection.execute(upsert(cycles, connection, replacing(cycles)), row)


async def _note(connection: AsyncConnection, account: str, **values: Any) -> None:  # noqa: ANN401
    await connection.execute(update(accounts).where(accounts.c.account == account).values(**values))
