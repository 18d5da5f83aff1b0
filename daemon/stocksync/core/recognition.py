"""Which products need no second thought: their rows are, byte for byte, those that they are settled with.

Digests hold under one rules digest; where the rules are others, every product is thought about anew. A digest is never
evidence of absence: a product counts as read because its row was there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from itertools import chain

from xxhash import xxh3_128_digest

from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.model import Cell, Product, SettledCounts, SettledProduct, SnapshotCell, SnapshotProduct

_ALGORITHM = 2
"""To be raised where the same row under the same configuration comes to another figure."""
DIGEST_SIZE = 16
"""Bytes of a digest."""


def rules_digest(*rules: object) -> bytes:
    """Digest everything but the row that decides a desired figure; the rules tell themselves apart by their repr."""
    return blake2b(repr((_ALGORITHM, rules)).encode(), digest_size=DIGEST_SIZE).digest()


def rebuilt(product_id: int, entry: SnapshotProduct, cells: Iterable[SnapshotCell], at: datetime) -> Product:
    """Give a recognised product as its row showed it, but for locations that feed no place."""
    stock = {location: figure for cell in cells for location, figure in cell.parts}
    return Product(product_id, entry.sku, entry.name, entry.tracked, stock, entry.page, at, recognised=True)


row_digest = xxh3_128_digest
"""Digests a product's row as Qoyod sent it: 16 bytes.

It tells rows apart, and keeps no secret: who could look for two rows of one digest writes Qoyod's figures anyway.
"""


def gone_digest(product_id: int) -> bytes:
    """Give what stands for the row of a product that has none any more."""
    return row_digest(b"gone %d" % product_id)


def needing_another_look(desires: DesiredState, found: ChangeSet, applied: Collection[Cell]) -> set[int]:
    """Name the products of which something is open, held, unknown, set aside, skipped or worth counting each time."""
    refused = (change.cell for change, _ in found.refused)
    bent = [cell for cell, want in desires.wants.items() if want.discrepancies]
    cells = chain(found.planned, refused, found.waiting, found.skipped, desires.unknown, desires.orphaned)
    return {cell.product_id for cell in cells if cell not in applied}.union(
        {cell.product_id for cell in bent}, desires.unmapped_held, desires.outdated, desires.yielding
    )


def settle(
    read: Iterable[Product], gone: Collection[int], desires: DesiredState, managed: Mapping[int, int]
) -> dict[int, SettledProduct]:
    """Give the digests of products that nothing is open of; `managed` counts their cells that hold a quantity now."""
    left_alone = Counter(cell.product_id for cell in desires.unmanaged)

    def settled(product_id: int, digest: bytes, *, tracked: bool) -> SettledProduct:
        unchanged = desires.wanted[product_id] + desires.unchanged.get(product_id, 0)
        unmapped = desires.unmapped.get(product_id, 0)
        held = managed.get(product_id, 0)
        return SettledProduct(digest, SettledCounts(unchanged, left_alone[product_id], unmapped, held, tracked))

    shown = (one for one in read if one.digest and (one.stock or not one.tracked))
    rows = {one.id: settled(one.id, one.digest, tracked=one.tracked) for one in shown}
    return rows | {one: settled(one, gone_digest(one), tracked=False) for one in gone}
