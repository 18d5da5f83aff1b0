"""Look-ups over HTTP: what is remembered of a product by GET; what Qoyod says now by POST alone."""

import json
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from aiohttp import web
from yarl import URL

from stocksync.core.answers import StockAnswer, StockAnswers
from stocksync.core.model import whole_number
from stocksync.core.overview import FoundProduct
from stocksync.errors import AskedTooOften, ConfigurationError, NotFound, StateError, StocksyncError, Unanswered
from stocksync.web import page
from stocksync.web.access import answer, problem
from stocksync.web.html import frame_of, html
from stocksync.web.product_view import Story
from stocksync.web.query import refuse_unknown

log = structlog.get_logger(__name__)


class Products(Protocol):
    """Who looks products up."""

    async def look_up(self, account: str | None, sku: str | None, product_id: int | None, fresh: bool) -> StockAnswer:  # noqa: FBT001
        """Look one product up: exactly one of sku and id is given."""

    async def refresh(self, account: str, skus: Sequence[str]) -> StockAnswers:
        """Have Qoyod asked for several products of one account."""

    async def story(self, account: str, product_id: int) -> Story:
        """Tell how a product's figures came about."""


_LONGEST_SKU = 255
_MOST_SKUS = 100
_LOOKED_THROUGH = 200
"""Accounts that a search which names none goes through."""
_BY_POST = "Qoyod is asked by POST alone: POST /api/refresh?sku=… or ?id=…"


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    sentence: str
    headers: dict[str, str]


@dataclass(slots=True)
class Lookups:
    """Answers about single products."""

    products: Callable[[], Products]
    """Raises StateUnavailable while it is too early."""
    accounts: Callable[[], Collection[str]]
    now: Callable[[], datetime]
    search: Callable[[Sequence[str], str], Awaitable[list[FoundProduct]]]
    away: Callable[[StateError], str]
    """Says what is waited for while the state is away."""

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the paths."""
        router.add_get("/api/stock", self.stock)
        router.add_post("/api/refresh", self.refresh)
        router.add_get("/stock", self.stock_page)
        router.add_post("/stock", self.refresh_page)
        router.add_get("/search", self.search_page)

    async def stock(self, request: web.Request) -> web.Response:
        """One product's figures as they are remembered."""
        return _as_json(await self._found(request, fresh=False))

    async def refresh(self, request: web.Request) -> web.Response:
        """Have Qoyod asked for one product, or for several, and push what is new; the request carries no figure."""
        if not request.can_read_body:
            return _as_json(await self._found(request, fresh=True))
        try:
            account, skus = _asked_for_many(await _body(request), request.query, sorted(self.accounts()))
            found = await self.products().refresh(account, skus)
        except StocksyncError as error:
            return _as_json(self._refusal(error))
        nobody = not found.stock
        return answer(found, 503 if nobody and found.unanswered else 404 if nobody else 200)

    async def stock_page(self, request: web.Request) -> web.Response:
        """One product's figures as they are remembered, for people."""
        return await self._as_page(request, await self._found(request, fresh=False))

    async def refresh_page(self, request: web.Request) -> web.Response:
        """One product's figures, read in Qoyod now."""
        return await self._as_page(request, await self._found(request, fresh=True))

    async def search_page(self, request: web.Request) -> web.StreamResponse:
        """Products by SKU, id or a part of SKU or name; the only one is shown at once."""
        words = request.query.get("q", "").strip()[:_LONGEST_SKU]
        frame = frame_of(request, self.now(), words)
        known, account = sorted(self.accounts()), request.query.get("account", "")
        chosen = [account] if account in known else known
        if len(chosen) > _LOOKED_THROUGH:
            sentence = frame.speak.text("found.too_many", count=frame.speak.number(len(chosen)))
            return html(request, page.no_stock(sentence, words, [], frame), 400)
        try:
            found = await self.search(chosen, words)
        except StateError as error:
            return html(request, page.away(self.away(error), frame), 503)
        alike = [one for one in found if words in {one.sku, str(one.product_id)}]
        if len(found) == 1 or len(alike) == 1:
            only = (alike or found)[0]
            query = {"account": only.account, "id": str(only.product_id)}
            raise web.HTTPSeeOther(URL("/stock").with_query(query))
        return html(request, page.found(found, words, frame), 200 if found else 404)

    async def _as_page(self, request: web.Request, found: StockAnswer | _Refusal) -> web.Response:
        asked = request.query.get("sku") or request.query.get("id", "")
        if isinstance(found, _Refusal):
            shown = page.no_stock(found.sentence, asked, sorted(self.accounts()), frame_of(request, self.now(), asked))
            return html(request, shown, found.status, found.headers)
        try:
            story = await self.products().story(found.account, found.product_id)
        except StocksyncError:  # the answer stands without it
            story = Story()
        return html(request, page.stock(found, story, frame_of(request, self.now(), found.sku)))

    async def _found(self, request: web.Request, *, fresh: bool) -> StockAnswer | _Refusal:
        if not fresh and "fresh" in request.query:
            return _Refusal(405, _BY_POST, {"Allow": "POST"})
        try:
            return await self.products().look_up(*_asked(request, self.accounts()), fresh)
        except StocksyncError as error:
            return self._refusal(error)

    def _refusal(self, error: StocksyncError) -> _Refusal:
        headers: dict[str, str] = {}
        match error:
            case Unanswered():
                status = 503
            case NotFound():
                status = 404
            case ConfigurationError():
                status = 400
            case StateError():
                return _Refusal(503, self.away(error), headers)
            case AskedTooOften(seconds=seconds):
                status, headers = 429, {"Retry-After": str(math.ceil(seconds))}
            case _:
                log.warning("lookup_failed", error=str(error))
                status = 503
        return _Refusal(status, str(error), headers)


def _as_json(found: StockAnswer | _Refusal) -> web.Response:
    if isinstance(found, _Refusal):
        return problem(found.status, found.sentence, found.headers)
    return answer(found)


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        given = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the body is no JSON: {str(error)[:100]}") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise ConfigurationError(f"skus: at most {_MOST_SKUS} in one request") from error
    if not isinstance(given, dict):
        raise ConfigurationError('the body is an object: {"account": "main", "skus": ["A", "B"]}')
    return given


def _asked_for_many(
    given: Mapping[str, Any], query: Mapping[str, str], accounts: Sequence[str]
) -> tuple[str, list[str]]:
    """Read `{"account": …, "skus": […]}`: the lines of one order."""
    if query:
        raise ConfigurationError("give the parameters in the body or in the address, not in both")
    refuse_unknown(given, "account", "skus")
    account, skus = given.get("account") or (accounts[0] if len(accounts) == 1 else None), given.get("skus")
    if account not in accounts:
        raise ConfigurationError(f"account: there are {', '.join(accounts)} (got {account!r})")
    if not isinstance(skus, list) or not skus or not all(isinstance(sku, str) and sku for sku in skus):
        raise ConfigurationError('skus: a list of SKUs, each as text: ["A", "B"]')
    if len(skus) > _MOST_SKUS:
        raise ConfigurationError(f"skus: at most {_MOST_SKUS} in one request (got {len(skus)})")
    if any(len(sku) > _LONGEST_SKU for sku in skus):
        raise ConfigurationError(f"skus: at most {_LONGEST_SKU} characters each")
    return str(account), skus


def _asked(request: web.Request, accounts: Collection[str]) -> tuple[str | None, str | None, int | None]:
    query = request.query
    known = ("sku", "id", "account") if request.path.startswith("/api/") else ("sku", "id", "account", "lang")
    refuse_unknown(query, *known)
    sku, given = query.get("sku") or None, query.get("id") or None
    if (sku is None) == (given is None):
        raise ConfigurationError("give either sku or id")
    if sku is not None and len(sku) > _LONGEST_SKU:
        raise ConfigurationError(f"sku: at most {_LONGEST_SKU} characters")
    account = query.get("account") or None
    if account is not None and account not in accounts:
        raise ConfigurationError(f"account: there are {', '.join(sorted(accounts))} (got {account!r})")
    number = None if given is None else whole_number(given)
    if given is not None and not number:
        raise ConfigurationError(f"id: a positive number (got {given[:40]!r})")
    return account, sku, number
