"""Many products by their SKUs in one request, where Qoyod is seen to follow the filter; else one after the other."""

from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog
from multidict import MultiDict

from stocksync.core.model import BadRow, Product
from stocksync.errors import SourceRefused
from stocksync.ports import Priority
from stocksync.qoyod.calls import Answer, ApiCalls, Request
from stocksync.qoyod.settings import Filter
from stocksync.qoyod.wire import Page, decode_page

log = structlog.get_logger(__name__)

_IN = "q[sku_in][]"
_LONGEST_QUERY = 4_000
"""Characters of SKUs in one URL, each as if it were escaped whole: what servers take is eight thousand at least."""

Find = Callable[[str, Priority], Awaitable[Product | BadRow | None]]
"""Looks one product up by its exact SKU."""


class ManyBySku:
    """Asks for the lines of an order.

    `q[sku_in][]` is used in live code and published nowhere, and Qoyod may ignore an unknown filter in silence. So each
    row is checked against what was asked, and a SKU without a row is asked for alone before it is called unknown. Where
    the filter is ignored or refused, or did not show what is there, it is not used again by this process.
    """

    def __init__(self, account: str, per_page: int, calls: ApiCalls, find: Find) -> None:
        """Take what asks, and what looks a single product up."""
        self._account, self._per_page, self._calls, self._find = account, per_page, calls, find
        self._trusted = True

    async def find(
        self, skus: Sequence[str], priority: Priority, allowed: Callable[[], Awaitable[None]]
    ) -> dict[str, Product | BadRow | None]:
        """Look products up by their exact SKUs; None where Qoyod has no such row. Each request waits for `allowed`."""
        found: dict[str, Product | BadRow | None] = {}
        for some in self._requests(list(dict.fromkeys(skus))):
            shown: dict[str, Product] = {}
            if self._trusted and len(some) > 1:
                await allowed()
                shown = await self._together(some, priority)
            found |= shown
            for sku in [sku for sku in some if sku not in shown]:
                await allowed()
                found[sku] = await self._find(sku, priority)
                if shown and isinstance(found[sku], Product):
                    self._distrust(f"it did not show {sku!r}, which is there")
        return found

    def _requests(self, skus: Sequence[str]) -> Iterator[list[str]]:
        some: list[str] = []
        length = 0
        for sku in skus:
            weight = len(_IN) + 3 * len(sku.encode("utf-8", "replace"))
            if some and (len(some) == self._per_page or length + weight > _LONGEST_QUERY):
                yield some
                some, length = [], 0
            some.append(sku)
            length += weight
        if some:
            yield some

    async def _together(self, skus: Sequence[str], priority: Priority) -> dict[str, Product]:
        """Ask for all in one request; nothing where the filter is not followed."""
        params = MultiDict({"page": "1", "per_page": str(self._per_page), "q[s]": "id asc"})
        params.extend((_IN, sku) for sku in skus)

        def understand(answer: Answer) -> Page | None:
            if not answer.shows("/products"):
                return None
            return decode_page(answer.body, 0, answer.read_at, Filter(), received_at=answer.received_at)

        try:
            page = await self._calls.get(Request("find", "/products", params, priority), understand)
        except SourceRefused as error:
            self._distrust(str(error))
            return {}
        if page is None:
            return {}
        asked, rows = set(skus), {product.sku: product for product in page.products}
        if page.total is None or page.total > len(page.ids) or len(page.ids) > len(skus) or rows.keys() - asked:
            self._distrust(f"{len(skus)} SKUs were asked for, and Qoyod shows {page.total or len(page.ids)} products")
            return {}
        return rows

    def _distrust(self, why: str) -> None:
        self._trusted = False
        log.warning("sku_filter_not_followed", account=self._account, filter=_IN, reason=why, done="asking one by one")
