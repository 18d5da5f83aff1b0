"""When a product that a reading lacks may be called gone.

Two complete readings in a row must lack it; then Qoyod is asked for it by id.
"""

from collections.abc import Mapping
from datetime import datetime
from heapq import nsmallest

from stocksync.core.model import Presence, Product, Reading, SnapshotProduct, Verdict

SUSPECT_AFTER = 2
"""Complete readings in a row that must lack a product before it is asked for by id."""
UNLISTED_AFTER = 52
"""The same for a product that answered by id though no list shows it.

Such products (archived, outside a filter) must not eat the request budget: a thousand of them can be asked for in turn,
at the price that the deletion of one that stays unlisted is noticed some fifty readings later.
"""
_WITNESSES = 3


def products_seen(reading: Reading, known: Mapping[int, SnapshotProduct]) -> dict[int, SnapshotProduct]:
    """Give the entries that a reading changes: new, renamed, retracked or returned products."""
    seen = {product.id: entry_of(product) for product in reading.products.values()}
    return {product_id: entry for product_id, entry in seen.items() if known.get(product_id) != entry}


def entry_of(product: Product) -> SnapshotProduct:
    """Give what the snapshot should know of a product that was read just now."""
    return SnapshotProduct(product.sku, product.name, product.tracked, product.page, missing=0, gone_at=None)


def missing_from(reading: Reading, known: Mapping[int, SnapshotProduct]) -> dict[int, SnapshotProduct]:
    """Give the known products that a reading lacks, counted on where the reading is complete."""
    bad = {row.product_id for row in reading.bad_rows}
    absent = known.keys() - reading.products.keys() - reading.recognised - bad
    step = 1 if reading.verdict is Verdict.COMPLETE else 0
    return {
        product_id: entry._replace(missing=entry.missing + step)
        for product_id in sorted(absent)
        if (entry := known[product_id]).gone_at is None
    }


def suspects(missing: Mapping[int, SnapshotProduct]) -> list[int]:
    """Name the products that may be gone: those never asked for first, then who has waited longest."""
    after = {Presence.UNLISTED: UNLISTED_AFTER}
    found = [key for key, entry in missing.items() if entry.missing >= after.get(entry.presence, SUSPECT_AFTER)]
    return sorted(found, key=lambda key: (in_vain(missing[key]), -missing[key].missing))


def in_vain(entry: SnapshotProduct) -> bool:
    """Whether it was asked for by id, and neither found nor said to be gone."""
    return entry.presence is Presence.UNANSWERED


def asked_in_vain(entry: SnapshotProduct) -> SnapshotProduct:
    """Note that the question by id failed: it is asked for again, after others, and no longer keeps these waiting."""
    return entry._replace(missing=SUSPECT_AFTER, presence=Presence.UNANSWERED)


def proven_alive(entry: SnapshotProduct) -> SnapshotProduct:
    """Note that Qoyod answers for it by id, though the list does not show it."""
    return entry._replace(missing=0, presence=Presence.UNLISTED)


def proven_gone(entry: SnapshotProduct, at: datetime) -> SnapshotProduct:
    """Note that Qoyod said `Product not found`, and that a witness answered in the same minute."""
    return entry._replace(gone_at=at)


def witnesses_for(reading: Reading, known: Mapping[int, SnapshotProduct]) -> list[int]:
    """Choose products of which one must answer by id if the account is alive: read now and known before."""
    return nsmallest(_WITNESSES, (reading.products.keys() & known.keys()) | reading.recognised)


def gone(known: Mapping[int, SnapshotProduct], *updates: Mapping[int, SnapshotProduct]) -> dict[int, SnapshotProduct]:
    """Give every product that is gone after the updates."""
    merged: dict[int, SnapshotProduct] = dict(known)
    for update in updates:
        merged.update(update)
    return {product_id: entry for product_id, entry in merged.items() if entry.gone_at is not None}
