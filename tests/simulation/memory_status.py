"""What a status tells beyond the account's own row, counted over the state in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from stocksync.core.model import Cell, SnapshotProduct
from stocksync.core.status import Quarantined

Quarantine = Mapping[tuple[int, str | None], Quarantined]


def counted(cells: Mapping[Cell, Any], products: Mapping[int, SnapshotProduct], quarantine: Quarantine) -> Any:
    """Give the counts by the names that AccountStatus has for them."""
    untracked = {one for one, known in products.items() if not known.tracked and known.gone_at is None}
    reasons = Counter(entry.reason for entry in quarantine.values())
    usual = min(reasons, key=lambda reason: (-reasons[reason], reason), default="")
    return {
        "managed": sum(isinstance(row.acked, Decimal) for row in cells.values()),
        "untracked": sum(cell.product_id in untracked for cell in cells),
        "refused": _refused(cells, quarantine),
        "refusal": usual,
        "catalogue": _catalogue(products, quarantine),
    }


def oldest_named(quarantine: Quarantine, products: Mapping[int, SnapshotProduct]) -> list[Quarantined]:
    """Give the entries, oldest first, with what people know the products by."""
    ordered = sorted(quarantine.values(), key=lambda entry: (entry.first_at, entry.product_id))
    return [
        replace(entry, sku=products[entry.product_id].sku, name=products[entry.product_id].name)
        if entry.product_id in products
        else entry
        for entry in ordered
    ]


def _refused(cells: Mapping[Cell, Any], quarantine: Quarantine) -> int:
    whole = [product_id for product_id, place in quarantine if place is None]
    of_product = Counter(cell.product_id for cell in cells)
    return len(quarantine) - len(whole) + sum(of_product[one] or 1 for one in whole)


def _catalogue(products: Mapping[int, SnapshotProduct], quarantine: Quarantine) -> dict[str, int]:
    there = [known for known in products.values() if known.gone_at is None]
    return {
        "tracked": sum(known.tracked for known in there),
        "untracked": sum(not known.tracked for known in there),
        "missing": sum(known.missing > 0 for known in there),
        "gone": len(products) - len(there),
        "bad": sum(entry.side == "source" for entry in quarantine.values()),
    }
