"""The endpoints under /_sim/ by which a rehearsal is directed, from any language."""

import contextlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Protocol, TypeVar

import msgspec
from aiohttp import web

from stocksync.errors import ConfigurationError, NotFound
from stocksync.simulator.api import Action
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.faults import Faults
from stocksync.simulator.journal import Journal
from stocksync.simulator.render import decimal_string
from stocksync.simulator.trade import Trader
from stocksync.simulator.wire import JSON

Identity = Annotated[int, msgspec.Meta(ge=0)]


class Directed(Protocol):
    """What the endpoints need of the simulator."""

    catalogue: Catalogue
    faults: Faults
    requests: Journal
    trader: Trader
    trading: float

    def before(self, page: int, action: Action) -> None:
        """Do something before a page is served."""

    def start_trade(self, per_second: float) -> None:
        """Trade at this pace."""

    async def stop_trade(self) -> None:
        """End trade."""

    def clear(self) -> None:
        """Begin anew."""


class _Faults(msgspec.Struct, forbid_unknown_fields=True):
    add: list[str]


class _Stock(msgspec.Struct, forbid_unknown_fields=True):
    product_id: Identity
    location_id: Identity
    quantity: Decimal


class _Product(msgspec.Struct, forbid_unknown_fields=True):
    sku: str | None = None
    name_en: str = "New product"
    name_ar: str = "منتج جديد"
    tracked: bool = True
    stock: dict[str, Decimal] = {}


class _Trade(msgspec.Struct, forbid_unknown_fields=True):
    per_second: Annotated[float, msgspec.Meta(ge=0, le=10_000)]


class _Deeds(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _Before(msgspec.Struct, forbid_unknown_fields=True):
    page: Annotated[int, msgspec.Meta(ge=1)]
    delete: Identity | None = None
    set: _Stock | None = None
    create: _Product | None = None


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


def add_routes(app: web.Application, directed: Directed) -> None:
    """Add the endpoints to an application."""
    endpoints = _Control(directed)
    routes: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/_sim/state", endpoints.state),
        ("GET", "/_sim/requests", endpoints.requests),
        ("GET", "/_sim/faults", endpoints.faults),
        ("POST", "/_sim/faults", endpoints.add_faults),
        ("DELETE", "/_sim/faults", endpoints.clear_faults),
        ("POST", "/_sim/before", endpoints.before),
        ("POST", "/_sim/stock", endpoints.stock),
        ("POST", "/_sim/products", endpoints.create),
        ("DELETE", "/_sim/products/{id:[0-9]+}", endpoints.delete),
        ("POST", "/_sim/trade", endpoints.trade),
        ("POST", "/_sim/deeds", endpoints.deeds),
        ("POST", "/_sim/clear", endpoints.clear),
    )
    for method, path, handler in routes:
        app.router.add_route(method, path, _plainly(handler))


class _Control:
    def __init__(self, directed: Directed) -> None:
        self._sim = directed

    async def state(self, _: web.Request) -> web.Response:
        catalogue = self._sim.catalogue
        products = {
            str(item.id): {
                "sku": item.sku,
                "tracked": item.tracked,
                "stock": {str(place): decimal_string(figure) for place, figure in sorted(item.stock.items())},
            }
            for item in catalogue.ordered()
        }
        locations = {str(place.id): place.english for place in catalogue.locations.values()}
        return _json({"locations": locations, "products": products, "trade_per_second": self._sim.trading})

    async def requests(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        number = int(after) if after.isdecimal() else 0
        log = self._sim.requests
        return _json({"requests": log.since(number), "worst_minute": log.worst_minute()})

    async def faults(self, _: web.Request) -> web.Response:
        return _json(
            {"faults": [{"fault": f.text, "hits": f.hits, "left": f.left, "doc": f.kind.doc} for f in self._sim.faults]}
        )

    async def add_faults(self, request: web.Request) -> web.Response:
        self._sim.faults.add(*(await _body(request, _Faults)).add)
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        text = request.query.get("fault")
        if text is None:
            self._sim.faults.clear()
        elif not self._sim.faults.remove(text):
            raise NotFound(f"no fault {text!r} is in force")
        return await self.faults(request)

    async def before(self, request: web.Request) -> web.Response:
        wish = await _body(request, _Before)

        def fulfil(catalogue: Catalogue) -> None:
            # The page is served all the same where what was to change is gone by then.
            with contextlib.suppress(NotFound):
                if wish.delete is not None:
                    catalogue.delete(wish.delete)
            with contextlib.suppress(NotFound):
                if wish.set is not None:
                    _set(wish.set, catalogue)
            with contextlib.suppress(NotFound):
                if wish.create is not None:
                    _create(wish.create, catalogue)

        self._sim.before(wish.page, fulfil)
        return _json({"page": wish.page})

    async def stock(self, request: web.Request) -> web.Response:
        wish = await _body(request, _Stock)
        _set(wish, self._sim.catalogue)
        return _json(wish)

    async def create(self, request: web.Request) -> web.Response:
        item = _create(await _body(request, _Product), self._sim.catalogue)
        return _json({"id": item, "sku": self._sim.catalogue.item(item).sku})

    async def delete(self, request: web.Request) -> web.Response:
        item = self._sim.catalogue.delete(int(request.match_info["id"]))
        return _json({"id": item.id, "sku": item.sku})

    async def trade(self, request: web.Request) -> web.Response:
        pace = (await _body(request, _Trade)).per_second
        await self._sim.stop_trade()
        self._sim.start_trade(pace)
        return _json({"per_second": pace})

    async def deeds(self, request: web.Request) -> web.Response:
        count = (await _body(request, _Deeds)).count
        return _json({"deeds": sum(self._sim.trader.step() is not None for _ in range(count))})

    async def clear(self, _: web.Request) -> web.Response:
        self._sim.clear()
        return _json({"cleared": True})


def _set(wish: _Stock, catalogue: Catalogue) -> None:
    catalogue.stock_take(wish.product_id, wish.location_id, wish.quantity)


def _create(wish: _Product, catalogue: Catalogue) -> int:
    stock = {int(place): figure for place, figure in wish.stock.items()}
    return catalogue.create(wish.sku, wish.name_en, arabic=wish.name_ar, tracked=wish.tracked, stock=stock).id


def _plainly(handler: Handler) -> Handler:
    """Tell a person what was wrong with a request, instead of a bare 500."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotFound as error:
            return _json({"error": str(error)}, 404)
        except (ConfigurationError, msgspec.MsgspecError, ValueError) as error:
            return _json({"error": str(error)}, 400)

    return handle


async def _body(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=kind)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), headers={"Content-Type": JSON})
