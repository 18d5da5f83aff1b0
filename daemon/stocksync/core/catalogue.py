"""All that a cycle knows before it reads: every known product, and what those that are settled come to.

A cycle goes over all of it, and needs one product's own row of it seldom. So what is counted stands by kind: in most
catalogues nearly all products have as many cells, all unchanged.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

from stocksync.core.completeness import PageSpans
from stocksync.core.model import Reading, SettledCounts, SettledProduct
from stocksync.core.recognition import gone_digest

_DAY = timedelta(days=1)
_TOGETHER = 7
"""Binary digits of an id, at most, that tell neighbours apart: 128 of them are about a page."""


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
    known: Mapping[int, bytes | None]
    """Product id to row digest, or None where the product is not settled."""
    alike: Mapping[SettledCounts, AbstractSet[int]] = field(default_factory=dict)
    """The settled products, by what is counted of each."""
    checked_up_to: int = 0
    """The product id up to which all have had their turn to be cross-checked."""
    again: frozenset[int] = frozenset()
    """Products to be looked at whatever their rows show."""
    unread: PageSpans = ()
    """Pages that the last reading had no time for."""

    @classmethod
    def of(
        cls, rules: bytes, products: Mapping[int, SettledProduct | None], checked_up_to: int = 0, unread: PageSpans = ()
    ) -> "Catalogue":
        """Arrange what is known product by product."""
        alike: dict[SettledCounts, set[int]] = {}
        for product_id, one in products.items():
            if one is not None:
                alike.setdefault(one.counts, set()).add(product_id)
        known = {product_id: None if one is None else one.digest for product_id, one in products.items()}
        return cls(rules, known, alike, checked_up_to, unread=unread)

    def settled(self) -> dict[bytes, int]:
        """Give row digest to product, of those that a reading need not look at."""
        trusted: dict[Any, int] = dict(zip(self.known.values(), self.known, strict=True))
        for digest in {None, *map(self.known.get, self.again)}:
            trusted.pop(digest, None)
        return trusted

    def settled_with(self, product_ids: AbstractSet[int]) -> dict[int, SettledProduct]:
        """Give what these products are settled with, of those that are."""
        digests = {key: digest for key in product_ids if (digest := self.known.get(key)) is not None}
        return {
            key: SettledProduct(digests[key], counts)
            for counts, ids in self.alike.items()
            for key in digests.keys() & ids
        }

    def in_focus(self, reading: Reading) -> set[int]:
        """Name the products whose cells the cycle needs: all but those that were recognised, or are long gone."""
        bad = {row.product_id or 0 for row in reading.bad_rows}
        others = set(self.known).difference(reading.recognised - self.again)
        gone = {key for key in others if self.known[key] == gone_digest(key)}
        return bad | reading.products.keys() | (others - (gone - self.again))

    def left_out(self, reading: Reading, focus: Iterable[int], rebuilt: AbstractSet[int]) -> Recognised:
        """Count what a cycle that looks at `focus` need not look at.

        Of `rebuilt` products the unmapped locations are counted too: these alone they lack.
        """
        looked_at = set(focus)  # a dictionary's keys would be gone through for each of the counts
        quiet = [(counts, len(ids - looked_at)) for counts, ids in self.alike.items()]
        partly = [(counts, len(ids & rebuilt)) for counts, ids in self.alike.items()]
        return Recognised(
            products=len(reading.recognised),
            tracked=sum(len(ids & reading.recognised) for counts, ids in self.alike.items() if counts.tracked),
            unchanged=sum(counts.unchanged * number for counts, number in quiet),
            unmanaged=sum(counts.unmanaged * number for counts, number in quiet),
            unmapped=sum(counts.unmapped * number for counts, number in (*quiet, *partly)),
            managed=sum(counts.managed * number for counts, number in quiet),
        )

    def due_again(self, now: datetime, interval: timedelta, cross_check: int) -> frozenset[int]:
        """Name the products whose turn it is to be looked at whatever they show.

        Each of them once a day, and those whose turn to be cross-checked it is: that needs the row. Neighbours have
        their turn together, as they stand on one page, and all others of it may be recognised at once.
        """
        slices = max(1, _DAY // interval)
        turn = int(now.timestamp() // interval.total_seconds()) % slices
        # In powers of two, so that it seldom changes: a product whose turn is another one then may miss a day.
        together = min(_TOGETHER, (-(-len(self.known) // slices) - 1).bit_length())
        daily = {product_id for product_id in self.known if (product_id >> together) % slices == turn}
        ahead = nsmallest(cross_check, (key for key in self._checkable() if key > self.checked_up_to))
        return frozenset(daily.union(ahead, nsmallest(cross_check - len(ahead), self._checkable())))

    def _checkable(self) -> Iterable[int]:
        return (key for counts, ids in self.alike.items() if counts.managed for key in ids)
