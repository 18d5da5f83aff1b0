"""Which products need no second thought: their rows are, byte for byte, those that they are settled with.

Digests hold under one rules digest; where the rules are others, every product is thought about anew. A digest is never
evidence of absence: a product counts as read because its row was there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from heapq import nsmallest
from itertools import chain

from xxhash import xxh3_128_digest

from stocksync.core.completeness import PageSpans
from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.model import Cell, Product, Reading, SettledProduct, SnapshotCell, SnapshotProduct

_ALGORITHM = 2
"""To be raised where the same row under the same configuration comes to another figure."""
_DIGEST_SIZE = 16
_DAY = timedelta(days=1)


def rules_digest(*rules: object) -> bytes:
    """Digest everything but the row that decides a desired figure; the rules tell themselves apart by their repr."""
    return blake2b(repr((_ALGORITHM, rules)).encode(), digest_size=_DIGEST_SIZE).digest()


@dataclass(frozen=True, slots=True)
class Recognised:
    """Counts of the products that a cycle need not look at."""

    products: int = 0
    tracked: int = 0
    unchanged: int = 0
    """Cells."""
    unmanaged: int = 0
    """Cells that the rules leave alone."""
    unmapped: int = 0
    """Locations that feed no place."""
    managed: int = 0
    """Cells in which the target holds a quantity of ours."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every product that is known, with its digest where it is settled."""

    rules: bytes
    """The rules digest that they are settled under; empty where none is."""
    known: Mapping[int, SettledProduct | None]
    checked_up_to: int = 0
    """The product id up to which all have had their turn to be cross-checked."""
    again: frozenset[int] = frozenset()
    """Products to be looked at whatever their rows show."""
    unread: PageSpans = ()
    """Pages that the last reading had no time for."""

    def settled(self) -> dict[bytes, int]:
        """Give row digest to product, of those that a reading need not look at."""
        trusted = ((key, one) for key, one in self.known.items() if one is not None and key not in self.again)
        return {one.digest: product_id for product_id, one in trusted}

    def in_focus(self, reading: Reading) -> set[int]:
        """Name the products whose cells the cycle needs: all but those that were recognised, or are long gone."""
        bad = {row.product_id or 0 for row in reading.bad_rows}
        return bad | reading.products.keys() | {one for one in self.known if not self._is_quiet(one, reading)}

    def left_out(self, reading: Reading, focus: Collection[int], rebuilt: Collection[int]) -> Recognised:
        """Count what a cycle that looks at `focus` need not look at.

        Of `rebuilt` products the unmapped locations are counted too: these alone they lack.
        """
        quiet = [one for key, one in self.known.items() if one is not None and key not in focus]
        partly = [one for key in rebuilt if (one := self.known[key]) is not None]
        return Recognised(
            products=len(reading.recognised),
            tracked=sum(one.tracked for key in reading.recognised if (one := self.known[key]) is not None),
            unchanged=sum(one.unchanged for one in quiet),
            unmanaged=sum(one.unmanaged for one in quiet),
            unmapped=sum(one.unmapped for one in (*quiet, *partly)),
            managed=sum(one.managed for one in quiet),
        )

    def _is_quiet(self, product_id: int, reading: Reading) -> bool:
        one = self.known[product_id]
        if one is None or product_id in self.again:
            return False
        return product_id in reading.recognised or one.digest == gone_digest(product_id)


def rebuilt(product_id: int, entry: SnapshotProduct, cells: Iterable[SnapshotCell], at: datetime) -> Product:
    """Give a recognised product as its row showed it, but for locations that feed no place."""
    stock = {location: figure for cell in cells for location, figure in cell.parts}
    return Product(product_id, entry.sku, entry.name, entry.tracked, stock, entry.page, at)


def row_digest(row: bytes | memoryview) -> bytes:
    """Digest a product's row as Qoyod sent it: 16 bytes.

    It tells rows apart, and keeps no secret: who could look for two rows of one digest writes Qoyod's figures anyway.
    """
    return xxh3_128_digest(row)


def gone_digest(product_id: int) -> bytes:
    """Give what stands for the row of a product that has none any more."""
    return row_digest(b"gone %d" % product_id)


def due_again(catalogue: Catalogue, now: datetime, interval: timedelta, cross_check: int) -> frozenset[int]:
    """Name the products whose turn it is to be looked at whatever they show.

    Each of them once a day, and those whose turn to be cross-checked it is: that needs the row.
    """
    slices = max(1, _DAY // interval)
    turn = int(now.timestamp() // interval.total_seconds()) % slices
    daily = {product_id for product_id in catalogue.known if product_id % slices == turn}
    checkable = [key for key, one in catalogue.known.items() if one is not None and one.managed]
    ahead = nsmallest(cross_check, (key for key in checkable if key > catalogue.checked_up_to))
    return frozenset(daily.union(ahead, nsmallest(cross_check - len(ahead), checkable)))


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
        return SettledProduct(digest, unchanged, left_alone[product_id], unmapped, managed.get(product_id, 0), tracked)

    shown = (one for one in read if one.digest and (one.stock or not one.tracked))
    rows = {one.id: settled(one.id, one.digest, tracked=one.tracked) for one in shown}
    return rows | {one: settled(one, gone_digest(one), tracked=False) for one in gone}
