"""Cycles and audits: what each said of itself, and for how long that is kept."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ScalarSelect, Update, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport
from stocksync.ports import Lease
from stocksync.sqlrows import Rows, RowUpdate, insert_and_update
from stocksync.state import approvals, leases
from stocksync.state.codec import report_of, report_text, spans_text, totals_of, totals_text
from stocksync.state.schema import accounts, cycles, ledger
from stocksync.state.session import Row, chunks, replacing, select_each, upsert

_TOTALS = 10
_AT_ONCE = 100
"""Accounts whose reports are decoded in one go: a thousand reports hold the loop for some 10 ms."""
_BEGIN = insert(cycles).from_select(
    list(cycles.c),
    select(*(bindparam(f"given_{column.name}", type_=column.type) for column in cycles.c)).where(*leases.HELD),
)
_ENDED = select(cycles.c.account, cycles.c.report).where(cycles.c.ended_at.is_not(None))
_NEWEST = _ENDED.order_by(cycles.c.started_at.desc())


async def begin(connection: AsyncConnection, lease: Lease, report: CycleReport) -> bool:
    """Record an attempt by one statement; give whether the lease was in force."""
    given = {f"given_{name}": value for name, value in _row(report).items()}
    return bool((await connection.execute(_BEGIN, given | leases.signed(lease))).rowcount)


async def end(
    connection: AsyncConnection, report: CycleReport, fence: leases.Fenced, noted: Row, settled: RowUpdate
) -> None:
    """Record the end with what it means for the account, what else its row has to say, and the products settled."""
    before = fence.row
    values: Row = {
        **noted,
        "failures": report.failures_after(before.failures),
        "unauthorized_since": report.unauthorized_since(before.unauthorized_since),
    }
    if report.target_contact is not None:
        values["target_contact"] = report.target_contact
    if report.verdict is not None:
        values["unread"] = spans_text(report.unread)
    if report.usual_total is not None:
        totals = [*totals_of(before.recent_totals), report.usual_total]
        values["recent_totals"] = totals_text(totals[-_TOTALS:])
    if report.complete:
        values["last_complete"] = report.ended_at or fence.now
        values["weighed_at"] = fence.now
    ended = Rows({name: [value] for name, value in _row(report).items()})
    statement = upsert(cycles, connection.dialect.name, replacing(cycles))
    await insert_and_update(connection, statement, ended, _noted(report.account, **values), beside=settled)


def last_attempt() -> ScalarSelect[datetime | None]:
    """Tell, as part of a statement over accounts, when an account's newest cycle began."""
    mine = cycles.alias("attempts")
    newest = select(func.max(mine.c.started_at)).where(mine.c.account == accounts.c.account)
    return newest.correlate(accounts).scalar_subquery()


async def forget(connection: AsyncConnection, account: str, before: datetime) -> None:
    """Delete ledger rows, decisions and cycles older than `before`."""
    await approvals.forget(connection, account, before)
    await connection.execute(delete(ledger).where(ledger.c.account == account, ledger.c.at < before))
    whole = or_(accounts.c.ledger_from.is_(None), accounts.c.ledger_from < before)
    await connection.execute(update(accounts).where(accounts.c.account == account, whole).values(ledger_from=before))
    await connection.execute(delete(cycles).where(cycles.c.account == account, cycles.c.started_at < before))


async def record_audit(connection: AsyncConnection, report: AuditReport) -> None:
    """Keep the last audit."""
    await connection.execute(_noted(report.account, audit=report_text(report)))


async def last_cycles(connection: AsyncConnection, asked: Sequence[str], limit: int) -> dict[str, list[CycleReport]]:
    """Give the cycles of each account that ended last, `limit` of each, newest first."""
    found: dict[str, list[CycleReport]] = {account: [] for account in asked}
    for some in chunks(asked, _AT_ONCE):
        async for rows in select_each(connection, _NEWEST, cycles.c.account, some, limit):
            for row in rows:
                found[row.account].append(report_of(row.report))
    for reports in found.values():  # a join need not keep the order that each part had
        reports.sort(key=attrgetter("started_at"), reverse=True)
    return found


def _row(report: CycleReport) -> Row:
    return {
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


def _noted(account: str, **values: Any) -> Update:  # noqa: ANN401
    return update(accounts).where(accounts.c.account == account).values(**values)
