"""Reading the whole list: which pages, in which order, and what is read once more.

Each worker walks its stretch of pages from the last to the first, so that a row that moves up while we read
is met twice rather than never; why that matters stands in core/completeness.py.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import structlog

from stocksync.core.completeness import Evidence, Judgement, PageSpans, judge, seams_of, still_to_read, within
from stocksync.core.model import BadRow, Product, Reading, Verdict
from stocksync.errors import SourceError, SourceUnavailable, Unauthorized
from stocksync.ports import Clock, Priority, Progress
from stocksync.qoyod.product_list import ProductList
from stocksync.qoyod.settings import SourceSettings
from stocksync.qoyod.wire import Page, Settled
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)
T = TypeVar("T")

_ROUNDS = 2
_MANY = 0.1
_BEYOND_REASON = 3
_LATE = "not read in time; the next reading goes on there"


@dataclass(slots=True)
class ReadPass:
    """One reading while it is being made."""

    listing: ProductList
    settings: SourceSettings
    clock: Clock
    progress: Progress | None
    until: float = math.inf
    """When to stop with what there is, by the monotonic clock."""
    due: PageSpans = ()
    """Pages that the reading before had no time for: these are read first."""
    settled: Settled = field(default_factory=dict)
    """Digests of rows that are only named."""
    evidence: dict[int, Evidence] = field(default_factory=dict)
    pages: dict[int, Page] = field(default_factory=dict)
    failures: int = 0
    """Pages that failed in a row."""
    limit: int = 0
    """Pages that are read at most."""

    def __post_init__(self) -> None:
        """Start from the limit of the settings."""
        self.limit = self.settings.max_pages

    async def read(self) -> Reading:
        """Read every page, resolve doubts, and judge."""
        started_at = self.clock.now()
        await self._first()
        known = max(self.evidence.values(), key=lambda e: e.received)
        last, likely = known.total_pages or 0, -(-(known.total or 0) // max(1, len(known.ids)))
        if last > min(self.settings.max_pages, _BEYOND_REASON * (likely + 1)):  # such a `totalPages` is not followed
            self.limit = min(self.settings.max_pages, max(1, likely))
        rest = [number for number in range(1, min(last, self.limit) + 1) if number not in self.evidence]
        await self._walk(number for number in rest if within(self.due, number))
        await self._walk(number for number in rest if not within(self.due, number))
        if not any(evidence.error for evidence in self.evidence.values()):
            await self._walk(seams_of(self.evidence.values()))  # there always are some: page 1 was the first
        judgement = await self._of_all(self._judge)
        tried: set[int] = set()
        for _ in range(_ROUNDS):
            doubtful = set(judgement.doubtful)
            if (doubtful and doubtful <= tried) or not (doubtful or judgement.seams):
                break
            tried |= doubtful
            await self._walk(doubtful | set(judgement.seams))
            judgement = await self._of_all(self._judge)
        reading = await self._of_all(lambda: self._reading(judgement, started_at))
        self._tell(reading)
        return reading

    async def read_first(self) -> Reading:
        """Read page 1 alone, which proves nothing but that the list can be read."""
        started_at = self.clock.now()
        await self._take(1)
        judgement = self._judge()
        if judgement.verdict is not Verdict.EMPTY:
            judgement = replace(judgement, verdict=Verdict.PARTIAL, reasons=("only page 1 was read",))
        return self._reading(judgement, started_at)

    async def _first(self) -> None:
        """Learn how many pages there are; a page 1 that cannot be had does not hide the others."""
        # There may be time for one page alone: page 1 must not have it each time.
        if self.due and await self._has(self.due[-1][1]):
            return
        try:
            await self._take(1)
        except SourceUnavailable as error:
            self.evidence[1] = Evidence(1, error=str(error))
            if not await self._has(2):
                raise
            return
        first = self.evidence[1]
        if not first.nothing and (first.total_pages is None or first.total is None):
            log.warning("pagination_missing", account=self.settings.account, rows=len(first.ids))
            await self._take(1)

    async def _has(self, number: int) -> bool:
        """Read a page that may be missing; give whether it shows any rows."""
        try:
            await self._take(number)
        except Unauthorized:
            raise
        except SourceError:
            return False
        return bool(self.pages)

    async def _walk(self, numbers: Iterable[int]) -> None:
        """Read pages, each stretch from its last page to its first."""
        ordered = sorted(numbers, reverse=True)
        size = max(1, -(-len(ordered) // self.settings.concurrency))
        stretches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        left = None if math.isinf(self.until) else max(0.0, self.until - self.clock.monotonic())
        try:
            async with asyncio.timeout(left):
                await _together([self._stretch(stretch) for stretch in stretches])
        except TimeoutError:
            for number in ordered:
                self.evidence.setdefault(number, Evidence(number, error=_LATE))

    async def _stretch(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            try:
                if self.failures >= self.settings.give_up_after:
                    raise SourceUnavailable(f"not asked for, after {self.failures} pages failed in a row")
                await self._take(number)
            except Unauthorized:
                raise
            except SourceError as error:
                self.failures += 1
                log.info("page_failed", account=self.settings.account, page=number, reason=str(error))
                self.evidence.setdefault(number, Evidence(number, error=str(error)))

    async def _take(self, number: int) -> None:
        """Read a page; where it shows what it showed before, that is confirmed."""
        fetched = await self.listing.page(number, Priority.POLL, self.settled)
        self.failures = 0
        before, now = self.evidence.get(number), fetched.evidence
        same = before is not None and not before.error and before.same(now)
        self.evidence[number] = replace(before, confirmed=now.sent) if before and same else now
        self.pages.pop(number, None)
        if fetched.page is not None:
            self.pages[number] = fetched.page
        if self.progress is not None:
            done = len(self.evidence)
            self.progress(done, max(done, now.total_pages or 0))

    async def _of_all(self, conclude: Callable[[], T]) -> T:
        """Conclude from every row, off the loop where there are many."""
        return await off_loop(sum(len(page.ids) for page in self.pages.values()), conclude)

    def _judge(self) -> Judgement:
        judgement = judge(self.evidence.values(), self.limit)
        dropped = sum(len(page.dropped) for page in self.pages.values())
        rows = sum(len(page.ids) for page in self.pages.values())
        if dropped <= rows * _MANY:
            return judgement
        # Qoyod seems not to follow the filter.
        verdict = Verdict.INCONSISTENT if judgement.verdict is Verdict.COMPLETE else judgement.verdict
        ignored = f"{dropped} of {rows} rows do not match the filter that was asked for"
        return replace(judgement, verdict=verdict, reasons=(*judgement.reasons, ignored))

    def _reading(self, judgement: Judgement, started_at: datetime) -> Reading:
        products: dict[int, Product] = {}
        recognised: set[int] = set()
        bad: list[BadRow] = []
        locations: dict[int, str] = {}
        for page in sorted(self.pages.values(), key=lambda page: page.read_at):
            products.update((product.id, product) for product in page.products)
            recognised.difference_update(product.id for product in page.products)
            for product_id in products.keys() & page.recognised:
                del products[product_id]
            recognised.update(page.recognised)
            bad += page.bad
            locations |= page.locations
        return Reading(
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            products=products,
            bad_rows=tuple(_distinct(bad, products.keys() | recognised)) if bad else (),
            locations=locations,
            total=judgement.total,
            pages=len(self.pages),
            started_at=started_at,
            ended_at=self.clock.now(),
            unread=still_to_read(self.due, [e.page for e in self.evidence.values() if e.error == _LATE]),
            recognised=frozenset(recognised),
            recognised_on={page.number: page.recognised for page in self.pages.values()},
        )

    def _tell(self, reading: Reading) -> None:
        account = self.settings.account
        sizes = {page.per_page for page in self.pages.values() if page.per_page is not None}
        if sizes - {self.settings.per_page}:
            log.info("per_page_clamped", account=account, asked=self.settings.per_page, given=sorted(sizes)[:3])
        dropped = [row for page in self.pages.values() for row in page.dropped]
        if dropped:
            log.warning("rows_outside_filter", account=account, count=len(dropped), products=dropped[:5])
        if reading.verdict is not Verdict.COMPLETE:
            log.warning("reading_doubted", account=account, verdict=reading.verdict, reasons=reading.reasons)


def _distinct(bad: Iterable[BadRow], well: Iterable[int]) -> Iterable[BadRow]:
    """Leave out bad rows of products that another page showed well, and repeats."""
    seen: set[int] = set(well)
    for row in bad:
        if row.product_id is None:
            yield row
        elif row.product_id not in seen:
            seen.add(row.product_id)
            yield row


async def _together(walks: Sequence[Coroutine[None, None, None]]) -> None:
    """Run walks at once; the first error stops all and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for walk in walks:
                group.create_task(walk)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
