"""Short ways to write products, memories and rules."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stocksync.core.model import Product, Reading, SnapshotCell, SnapshotProduct, Verdict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def product(product_id=1, stock=None, *, tracked=True, sku=None, page=1, read_at=NOW):
    figures = {location: Decimal(str(quantity)) for location, quantity in (stock or {}).items()}
    return Product(product_id, f"SKU-{product_id}" if sku is None else sku, "Widget", tracked, figures, page, read_at)


def remembered(parts=None, acked=None, *, intent=None, sku="SKU-1", source_at=NOW - timedelta(hours=1), unknown=None):
    figures = tuple((location, Decimal(str(quantity))) for location, quantity in (parts or {}).items())
    return SnapshotCell(figures, source_at, acked, intent, sku, unknown)


def known(sku="SKU-1", *, tracked=True, missing=0, gone_at=None):
    return SnapshotProduct(sku, "Widget", tracked, 1, missing, gone_at)


def reading(*products, verdict=Verdict.COMPLETE, bad=(), total=None):
    by_id = {one.id: one for one in products}
    return Reading(verdict, (), by_id, tuple(bad), {}, len(by_id) if total is None else total, 1, NOW, NOW)
