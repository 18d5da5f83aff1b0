"""Qoyod, as a cycle needs it."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from stocksync.core.completeness import PageSpans
from stocksync.core.model import (
    BadRow,
    Product,
    Reading,
)

Progress = Callable[[int, int], None]
"""Called with (done, total) while something long runs."""


class Priority(IntEnum):
    """Who goes first when the request budget is short; lower goes first."""

    PERSON = 0
    CHECK = 1
    POLL = 2


class Source(Protocol):
    """Qoyod, for one account. All calls spend the request budget that its tenant has in the state.

    Every call may raise Unauthorized, SourceRefused or SourceUnavailable, and StateError where no request can be
    reserved.
    """

    async def read(
        self,
        progress: Progress | None = None,
        *,
        until: float = math.inf,
        first: PageSpans = (),
        settled: Mapping[bytes, int] = ...,
    ) -> Reading:
        """Read every page; faults of single pages end in the verdict, not in an exception.

        At `until`, by the monotonic clock, it stops with what it has; it begins with the pages of `first`. A row whose
        digest is in `settled` stands for that product, and is only named in the reading.
        """

    async def product(self, product_id: int, priority: Priority = Priority.CHECK) -> Product | BadRow | None:
        """Look one product up; None only where Qoyod said `Product not found`."""

    async def find(self, sku: str, priority: Priority = Priority.PERSON) -> Product | BadRow | None:
        """Look one product up by its exact SKU; None where no row bears it."""

    async def find_many(
        self, skus: Sequence[str], allowed: Callable[[], Awaitable[None]]
    ) -> Mapping[str, Product | BadRow | None]:
        """As `find`, for several: in one request where Qoyod follows such a filter. Each waits for `allowed`."""

    async def again(self, product: Product) -> Product | None:
        """Read the list page of a product once more; None where it no longer stands there."""

    async def locations(self) -> Mapping[int, str]:
        """List the account's locations, id to name: the cheapest probe of a credential."""

    async def first_page(self) -> Reading:
        """Read page 1 alone, to see that the list can be read; its verdict is `empty` or proves nothing."""

    def skew(self) -> timedelta | None:
        """How far Qoyod's clock stood before ours at its last answer; None before one named the time."""
