"""The product list, page by page. A page that comes again byte for byte is not taken apart anew.

Between two polls most pages of a catalogue stay as they are, and taking one apart costs a third of fetching it.
"""

from dataclasses import dataclass
from struct import unpack
from typing import NamedTuple

from stocksync.core.completeness import Evidence
from stocksync.core.recognition import DIGEST_SIZE, row_digest
from stocksync.ports import Priority
from stocksync.qoyod.calls import Answer, ApiCalls, Request
from stocksync.qoyod.settings import SourceSettings
from stocksync.qoyod.wire import NOTHING_SETTLED, Page, Settled, decode_page


@dataclass(frozen=True, slots=True)
class Fetched:
    """One page with what it proves; no rows where Qoyod found nothing."""

    evidence: Evidence
    page: Page | None = None


class _Known(NamedTuple):
    """What the bytes of a page came to when they were last taken apart, but for its rows."""

    digest: bytes
    row_digests: bytes
    echo: int | None
    total: int | None
    total_pages: int | None
    per_page: int | None


class ProductList:
    """The list of one account, under its filter."""

    def __init__(self, calls: ApiCalls, settings: SourceSettings) -> None:
        """Take what it is asked by; no page is known yet."""
        self._calls = calls
        self._settings = settings
        self._known: dict[int, _Known] = {}

    async def page(self, number: int, priority: Priority, settled: Settled = NOTHING_SETTLED) -> Fetched:
        """Ask for one page; a row whose digest is in `settled` is only named.

        Raises:
            PageUnreadable: no page of a list came.
            SourceError: none came at all.

        """
        params = {
            "page": str(number),
            "per_page": str(self._settings.per_page),
            "q[s]": "id asc",
            **self._settings.filter.parameters(),
        }

        def understand(answer: Answer) -> Fetched:
            if not answer.shows("/products"):
                return Fetched(Evidence(number, sent=answer.sent, received=answer.received, nothing=True))
            page = self._recognised(answer, number, settled) or self._decoded(answer, number, settled)
            evidence = Evidence(
                number, echo=page.echo, total=page.total, total_pages=page.total_pages, per_page=page.per_page,
                ids=page.ids, sent=answer.sent, received=answer.received,
            )  # fmt: skip
            return Fetched(evidence, page)

        return await self._calls.get(Request("products", "/products", params, priority), understand)

    def _recognised(self, answer: Answer, number: int, settled: Settled) -> Page | None:
        known = self._known.get(number)
        if known is None or known.digest != row_digest(answer.body):
            return None
        size = len(known.row_digests) // DIGEST_SIZE
        ids = [*map(settled.get, unpack(f"{DIGEST_SIZE}s" * size, known.row_digests))]
        recognised = [one for one in ids if one is not None]
        if len(recognised) < size:
            return None
        return Page(
            number, answer.read_at, answer.received_at, echo=known.echo, total=known.total,
            total_pages=known.total_pages, per_page=known.per_page, ids=tuple(ids), row_digests=known.row_digests,
            recognised=recognised,
        )  # fmt: skip

    def _decoded(self, answer: Answer, number: int, settled: Settled) -> Page:
        page = decode_page(
            answer.body, number, answer.read_at, self._settings.filter, self._settings.per_page, settled,
            received_at=answer.received_at,
        )  # fmt: skip
        self._known[number] = _Known(
            row_digest(answer.body), page.row_digests, page.echo, page.total, page.total_pages, page.per_page
        )
        return page
