"""An account's status, counted over the state in memory."""

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from stocksync.core.held_plan import by_urgency
from stocksync.core.model import Cell, SnapshotProduct
from stocksync.core.report import CycleReport, orphaned_by
from stocksync.memory.store import MemoryAccount, MemoryCell
from stocksync.ports import AccountStatus, Quarantined

Quarantine = Mapping[tuple[int, str | None], Quarantined]


def status_of(account: str, mine: MemoryAccount, now: datetime) -> AccountStatus:
    """Give an account's status at an instant."""
    leased = mine.owner != "" and mine.expires_at > now
    unknown = [row.unknown_since for row in mine.cells.values() if row.unknown_since is not None]
    refused = {key for key, entry in mine.quarantine.items() if entry.side == "target"}
    open_ = {cell: row.intended_at for cell, row in mine.cells.items() if row.intended_at is not None}
    intended = [at for cell, at in open_.items() if cell not in refused]
    oldest = _oldest_named(mine.quarantine, mine.products)
    recent = deepcopy([report for report in by_start(mine) if report.ended_at is not None][::-1][:10])
    return AccountStatus(
        account=account,
        owner=mine.owner if leased else "",
        epoch=mine.epoch,
        leased_until=mine.expires_at if leased else None,
        last_attempt=max((report.started_at for report in mine.cycles.values()), default=None),
        last_complete=mine.last_complete,
        last_push=mine.last_push,
        oldest_unpushed=min(intended, default=None),
        consecutive_failures=mine.failures,
        cycles=recent,
        held=next(iter(by_urgency(mine.plans)), None),
        held_too=by_urgency(mine.plans)[1:],
        quarantine=oldest[:100],
        quarantined=len(oldest),
        oldest_quarantined=oldest[0].first_at if oldest else None,
        unknown=len(unknown),
        oldest_unknown=min(unknown, default=None),
        cells=len(mine.cells),
        products=len(mine.products),
        audit=deepcopy(mine.audit),
        orphaned=orphaned_by(recent),
        altered=sum(row.sent is not None for row in mine.cells.values()),
        unauthorized_since=mine.unauthorized_since,
        target_contact=mine.target_contact,
        locations=dict(mine.locations),
        **_counted(mine.cells, mine.products, mine.quarantine),
    )


def by_start(mine: MemoryAccount) -> list[CycleReport]:
    """Give the cycles in the order in which they began."""
    return sorted(mine.cycles.values(), key=lambda report: report.started_at)


def _counted(
    cells: Mapping[Cell, MemoryCell], products: Mapping[int, SnapshotProduct], quarantine: Quarantine
) -> dict[str, Any]:
    """Give the counts by the names that AccountStatus has for them."""
    untracked = {one for one, known in products.items() if not known.tracked and known.gone_at is None}
    reasons = Counter(entry.reason for entry in quarantine.values())
    usual = min(reasons, key=lambda reason: (-reasons[reason], reason), default="")
    whole = [product_id for product_id, place in quarantine if place is None]
    of_product = Counter(cell.product_id for cell in cells)
    there = [known for known in products.values() if known.gone_at is None]
    return {
        "managed": sum(isinstance(row.acked, Decimal) for row in cells.values()),
        "untracked": sum(cell.product_id in untracked for cell in cells),
        "refused": len(quarantine) - len(whole) + sum(of_product[one] or 1 for one in whole),
        "refusal": usual,
        "catalogue": {
            "tracked": sum(known.tracked for known in there),
            "untracked": sum(not known.tracked for known in there),
            "missing": sum(known.is_missing for known in there),
            "gone": len(products) - len(there),
            "bad": sum(entry.side == "source" for entry in quarantine.values()),
        },
    }


def _oldest_named(quarantine: Quarantine, products: Mapping[int, SnapshotProduct]) -> list[Quarantined]:
    """Give the entries, oldest first, with what people know the products by."""
    ordered = sorted(quarantine.values(), key=lambda entry: (entry.first_at, entry.product_id))
    return [
        replace(entry, sku=products[entry.product_id].sku, name=products[entry.product_id].name)
        if entry.product_id in products
        else entry
        for entry in ordered
    ]
