"""The status of accounts, as people are shown it: a handful of statements for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, and_, case, func, null, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.held_plan import HeldPlan, by_urgency
from stocksync.core.model import Presence, Removal
from stocksync.core.report import CycleReport, orphaned_by
from stocksync.core.status import Side
from stocksync.ports import AccountStatus
from stocksync.state import approvals
from stocksync.state.cells import quarantined_of
from stocksync.state.codec import audit_of, locations_of
from stocksync.state.cycles import last_attempt, last_cycles
from stocksync.state.schema import accounts, cells, products, quarantine
from stocksync.state.session import chunks
from stocksync.state.types import database_now

_CYCLES = 10
_QUARANTINE = 100


async def statuses(
    connection: AsyncConnection, asked: Sequence[str], known: Mapping[str, AccountStatus]
) -> list[AccountStatus]:
    """Gather what is shown of accounts, in the order asked.

    What takes long to count is taken from `known`, an earlier answer, where no cycle has begun or ended since.
    """
    query = select(accounts, database_now().label("now"), last_attempt().label("last_attempt"))
    found = [await connection.execute(query.where(accounts.c.account.in_(chunk))) for chunk in chunks(asked)]
    rows = {row.account: row for result in found for row in result.all()}
    plans: dict[str, list[HeldPlan]] = {}
    for plan in by_urgency(await approvals.plans(connection, asked[0] if len(asked) == 1 else None)):
        plans.setdefault(plan.account, []).append(plan)
    counted = {name: one for name, one in known.items() if _still_counts(one, rows.get(name))}
    counted |= await _count(connection, [account for account in asked if account not in counted])
    return [_as_it_stands(counted[account], rows.get(account), plans.get(account, [])) for account in asked]


def _still_counts(known: AccountStatus, row: Row[Any] | None) -> bool:
    """Whether nothing but a look-up can have changed what was counted; while a cycle runs, everything may."""
    if row is None or not known.cycles or row.last_attempt != known.cycles[0].started_at:
        return False
    then = known.last_attempt, known.last_complete, known.last_push, known.target_contact, known.consecutive_failures
    return then == (row.last_attempt, row.last_complete, row.last_push, row.target_contact, row.failures)


def _as_it_stands(counted: AccountStatus, row: Row[Any] | None, plans: Sequence[HeldPlan]) -> AccountStatus:
    """Complete what was counted by what the account's row and its plans say."""
    held, held_too = (plans[0] if plans else None), plans[1:]
    if row is None:
        return replace(counted, held=held, held_too=held_too)
    leased = row.owner != "" and row.expires_at > row.now
    return replace(
        counted,
        owner=row.owner if leased else "",
        epoch=row.epoch,
        leased_until=row.expires_at if leased else None,
        last_attempt=row.last_attempt,
        last_complete=row.last_complete,
        last_push=row.last_push,
        consecutive_failures=row.failures,
        held=held,
        held_too=held_too,
        audit=audit_of(row.audit),
        unauthorized_since=row.unauthorized_since,
        target_contact=row.target_contact,
        locations=locations_of(row.locations),
    )


async def _count(connection: AsyncConnection, asked: Sequence[str]) -> dict[str, AccountStatus]:
    """Count what accounts have; what their rows and plans say is left out."""
    counts: dict[str, dict[str, Any]] = {account: {} for account in asked}
    for chunk in chunks(asked):
        sums = [func.sum(case((state, 1), else_=0)).label(name) for name, state in _STATES.items()]
        catalogue = select(products.c.account, func.count().label("products"), *sums)
        bad = func.sum(case((quarantine.c.side == Side.SOURCE, 1), else_=0)).label("bad")
        entries = select(quarantine.c.account, func.count().label("quarantined"), bad)
        for query in (
            _cells(chunk),
            catalogue.where(products.c.account.in_(chunk)).group_by(products.c.account),
            entries.where(quarantine.c.account.in_(chunk)).group_by(quarantine.c.account),
        ):
            for row in (await connection.execute(query)).mappings().all():
                counts[row["account"]] |= row
    recent = await last_cycles(connection, list(counts), _CYCLES)
    return {account: await _counted(connection, account, found, recent[account]) for account, found in counts.items()}


async def _counted(
    connection: AsyncConnection, account: str, found: Mapping[str, Any], recent: list[CycleReport]
) -> AccountStatus:
    number = {name: int(value or 0) for name, value in found.items() if name in _NUMBERS}
    set_aside = await _set_aside(connection, account) if number.get("quarantined") else {"quarantine": []}
    return AccountStatus(
        account=account,
        owner="",
        epoch=0,
        leased_until=None,
        last_attempt=None,
        last_complete=None,
        last_push=None,
        oldest_unpushed=found.get("intended"),
        consecutive_failures=0,
        cycles=recent,
        held=None,
        quarantined=number.get("quarantined", 0),
        unknown=number.get("unknown", 0),
        oldest_unknown=found.get("oldest_unknown"),
        cells=number.get("cells", 0),
        products=number.get("products", 0),
        audit=None,
        managed=number.get("managed", 0),
        untracked=number.get("untracked_cells", 0),
        catalogue={state: number.get(state, 0) for state in (*_STATES, "bad")},
        orphaned=orphaned_by(recent),
        altered=number.get("altered", 0),
        **set_aside,
    )


def _cells(asked: Sequence[str]) -> Select[Any]:
    held = cells.c.acked.is_not(None) & cells.c.acked.not_in([removal.value for removal in Removal])
    untracked = products.c.tracked.is_(False) & products.c.gone_at.is_(None)
    of_cell = (products.c.account == cells.c.account) & (products.c.product_id == cells.c.product_id)
    return (
        select(
            cells.c.account,
            func.sum(case((held, 1), else_=0)).label("managed"),
            func.sum(case((untracked, 1), else_=0)).label("untracked_cells"),
            func.count().label("cells"),
            func.count(cells.c.unknown_since).label("unknown"),
            func.min(cells.c.unknown_since).label("oldest_unknown"),
            func.min(on_its_way_since()).label("intended"),
            func.count(cells.c.sent).label("altered"),
        )
        .select_from(cells.outerjoin(products, of_cell))
        .where(cells.c.account.in_(asked))
        .group_by(cells.c.account)
    )


_STATES = {
    "tracked": products.c.gone_at.is_(None) & products.c.tracked.is_(True),
    "untracked": products.c.gone_at.is_(None) & products.c.tracked.is_(False),
    "missing": and_(
        products.c.gone_at.is_(None), products.c.missing > 0, products.c.presence != Presence.UNLISTED.value
    ),
    "gone": products.c.gone_at.is_not(None),
}
_NUMBERS = {"managed", "untracked_cells", "cells", "unknown", "altered", "products", "quarantined", "bad", *_STATES}


def on_its_way_since() -> Any:  # noqa: ANN401
    """Give since when a cell's figure is on its way; one that is refused has an age of its own, in quarantine."""
    same = (quarantine.c[name] == cells.c[name] for name in ("account", "product_id", "place"))
    entry = select(quarantine.c.product_id).where(*same, quarantine.c.whole.is_(False))
    refused = entry.where(quarantine.c.side == Side.TARGET).correlate(cells).exists()
    return case((refused, null()), else_=cells.c.intended_at)


async def _set_aside(connection: AsyncConnection, account: str) -> dict[str, Any]:
    """Look at what is in quarantine: its oldest entries, how many cells it holds, and the usual reason."""
    of_entry = (products.c.account == quarantine.c.account) & (products.c.product_id == quarantine.c.product_id)
    query = select(quarantine, products.c.sku, products.c.name).select_from(quarantine.outerjoin(products, of_entry))
    query = query.where(quarantine.c.account == account).order_by(quarantine.c.first_at, quarantine.c.product_id)
    rows = (await connection.execute(query.limit(_QUARANTINE))).all()
    entries = [replace(quarantined_of(row), sku=row.sku or "", name=row.name or "") for row in rows]
    mine = (quarantine.c.account == account) & (quarantine.c.side != Side.COLUMN)
    # Cells set aside one by one, those of products set aside whole, and one for each of these without cells.
    single = select(func.count()).where(mine, quarantine.c.whole.is_(False)).scalar_subquery()
    whole = select(quarantine.c.product_id).where(mine, quarantine.c.whole.is_(True))
    covered = select(func.count()).where(cells.c.account == account, cells.c.product_id.in_(whole)).scalar_subquery()
    with_cells = select(cells.c.product_id).where(cells.c.account == account)
    bare = mine & quarantine.c.whole.is_(True) & quarantine.c.product_id.not_in(with_cells)
    counted = select(single + covered + select(func.count()).where(bare).scalar_subquery())
    refused = (await connection.execute(counted)).scalar_one()
    usual = select(quarantine.c.reason).where(mine)
    usual = usual.group_by(quarantine.c.reason).order_by(func.count().desc(), quarantine.c.reason).limit(1)
    refusal = (await connection.execute(usual)).scalar() or ""
    oldest = entries[0].first_at if entries else None
    return {"quarantine": entries, "oldest_quarantined": oldest, "refused": refused, "refusal": refusal}
