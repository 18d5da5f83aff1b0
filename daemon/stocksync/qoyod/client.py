"""The `Source` port over Qoyod's API."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from random import Random, SystemRandom

import aiohttp
import structlog

from stocksync.core.completeness import PageSpans
from stocksync.core.model import BadRow, Product, Reading
from stocksync.errors import SourceRefused
from stocksync.ports import Clock, Priority, Progress, Publish
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.calls import NO_PRODUCT, Answer, ApiCalls, Request
from stocksync.qoyod.credentials import Credential
from stocksync.qoyod.many import ManyBySku
from stocksync.qoyod.paging import ReadPass
from stocksync.qoyod.product_list import ProductList
from stocksync.qoyod.settings import Filter, SourceSettings
from stocksync.qoyod.transport import AiohttpTransport, Transport, open_session
from stocksync.qoyod.wire import NOTHING_SETTLED, Page, Settled, decode_locations, decode_page, decode_product

__all__ = ["QoyodSource", "open_session"]

log = structlog.get_logger(__name__)


class QoyodSource:
    """Qoyod for one account; the session may be any transport, which is how a simulation plugs itself in."""

    def __init__(  # noqa: PLR0917 - one order of wiring, in app and simulation alike
        self,
        settings: SourceSettings,
        session: aiohttp.ClientSession | Transport,
        budget: Budget,
        credential: Credential,
        publish: Publish,
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        transport = AiohttpTransport(session, settings) if isinstance(session, aiohttp.ClientSession) else session
        self._settings = settings
        self._clock = clock
        self._calls = ApiCalls(
            settings=settings,
            transport=transport,
            budget=budget,
            credential=credential,
            publish=publish,
            clock=clock,
            random=random or SystemRandom(),
        )
        self._list = ProductList(self._calls, settings)
        self._many = ManyBySku(settings.account, settings.per_page, self._calls, self.find)

    async def read(
        self,
        progress: Progress | None = None,
        *,
        until: float = math.inf,
        first: PageSpans = (),
        settled: Settled = NOTHING_SETTLED,
    ) -> Reading:
        """Read every page, those of `first` before the others, or as many as there is time for before `until`.

        A row whose digest is in `settled` is only named.

        Raises:
            Unauthorized: the credential was refused.
            SourceRefused: page 1 cannot be had at this address or with this filter.
            SourceUnavailable: neither page 1 nor page 2 could be had.

        """
        return await ReadPass(self._list, self._settings, self._clock, progress, until, first, settled).read()

    async def first_page(self) -> Reading:
        """Read page 1 alone, to see that the list can be read; its verdict is `empty` or `partial`."""
        return await ReadPass(self._list, self._settings, self._clock, None).read_first()

    def skew(self) -> timedelta | None:
        """How far Qoyod's clock stood before ours at its last answer; None before one named the time."""
        return self._calls.skew

    async def product(self, product_id: int, priority: Priority = Priority.CHECK) -> Product | BadRow | None:
        """Look one product up; None only where Qoyod said `Product not found`."""

        def understand(answer: Answer) -> Product | BadRow | None:
            if answer.found:
                return decode_product(answer.body, product_id, answer.read_at, answer.received_at)
            if NO_PRODUCT.search(answer.body[:1000]):
                return None
            raise SourceRefused(f"Qoyod knows no /products/{product_id} here (404): check base_url")

        return await self._calls.get(Request("product", f"/products/{product_id}", {}, priority), understand)

    async def find(self, sku: str, priority: Priority = Priority.PERSON) -> Product | BadRow | None:
        """Look one product up by its exact SKU; None where no row bears it."""
        params = {"page": "1", "per_page": str(self._settings.per_page), "q[s]": "id asc", "q[sku_eq]": sku}

        def understand(answer: Answer) -> Page | None:
            if not answer.shows("/products"):
                return None
            return decode_page(answer.body, 0, answer.read_at, Filter(sku=sku), received_at=answer.received_at)

        page = await self._calls.get(Request("find", "/products", params, priority), understand)
        if page is None:
            return None
        if len(page.products) > 1:
            log.warning("sku_not_unique", account=self._settings.account, products=[p.id for p in page.products])
        if page.products:
            return page.products[0]
        if page.bad and len(page.ids) == 1:
            return page.bad[0]
        if page.bad or page.total is None or page.total > len(page.ids):
            raise SourceRefused(f"Qoyod did not follow the filter for SKU {sku!r}: ask by product id")
        return None

    async def find_many(
        self, skus: Sequence[str], allowed: Callable[[], Awaitable[None]]
    ) -> Mapping[str, Product | BadRow | None]:
        """Look products up by their exact SKUs, in as few requests as Qoyod is seen to allow."""
        return await self._many.find(skus, Priority.PERSON, allowed)

    async def again(self, product: Product) -> Product | None:
        """Read the list page of a product once more; None where it no longer stands there, well."""
        if product.page < 1:
            seen = await self.product(product.id)
            return seen if isinstance(seen, Product) else None
        fetched = await self._list.page(product.page, Priority.CHECK)
        rows = fetched.page.products if fetched.page else []
        return next((row for row in rows if row.id == product.id), None)

    async def locations(self) -> Mapping[int, str]:
        """List the account's locations, id to name: the cheapest probe of a credential."""

        def understand(answer: Answer) -> dict[int, str]:
            return decode_locations(answer.body) if answer.shows("/inventories") else {}

        return await self._calls.get(Request("inventories", "/inventories", {}, Priority.CHECK), understand)
