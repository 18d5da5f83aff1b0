"""The simulated API as a function: a request and a time in, an answer out; no sockets, no clock."""

import contextlib
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from stocksync.errors import NotFound
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.credentials import Credentials
from stocksync.simulator.distort import second_half, twist_ask, twist_page, twist_row
from stocksync.simulator.fault_kinds import Phase
from stocksync.simulator.faults import Fault, Faults, Route
from stocksync.simulator.limits import RateLimit
from stocksync.simulator.listing import asked, show
from stocksync.simulator.outages import ANSWERS, CARRIES, UNAUTHORIZED, not_found, throttled
from stocksync.simulator.render import Renderer, Row
from stocksync.simulator.wire import JSON, PREFIX, Answer, Request, json_answer

_PRODUCT = re.compile(PREFIX + r"/products/(\d{1,18})")
Action = Callable[[Catalogue], object]


def route(request: Request) -> Route:
    """Say what a request is for."""
    if request.path == "/oauth/token" and request.method == "POST":
        return Route("token")
    if request.method != "GET":
        return Route("other")
    if request.path == f"{PREFIX}/products":
        page = request.first("page") or "1"
        return Route("list", int(page) if page.isdecimal() else 1)
    if request.path == f"{PREFIX}/inventories":
        return Route("inventories")
    match = _PRODUCT.fullmatch(request.path)
    return Route("product", int(match[1])) if match else Route("other")


class Api:
    """One Qoyod account: its catalogue, its credentials, its limit, and the faults in force."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        credentials: Credentials,
        faults: Faults | None = None,
        limit: RateLimit | None = None,
        renderer: Renderer | None = None,
        largest_page: int = 100,
    ) -> None:
        self.catalogue = catalogue
        self.credentials = credentials
        self.faults = faults or Faults()
        self.limit = limit or RateLimit()
        self.renderer = renderer or Renderer(catalogue)
        self.largest_page = largest_page
        self._before: list[tuple[int, Action]] = []

    def before(self, page: int, action: Action) -> None:
        """Do something once, just before this page of the list is served next."""
        self._before.append((page, action))

    def forget(self) -> None:
        """End all faults and drop the actions that still wait."""
        self.faults.clear()
        self._before.clear()

    def answer(self, request: Request, *, now: float, wall: datetime) -> Answer:
        """Answer a request that arrives at `now` (monotonic seconds) and `wall` (aware UTC)."""
        to = route(request)
        admitted = self._admits(request, now)
        wait = self.limit.take(now) if admitted and to.endpoint != "token" else None
        for fault in self.faults.meeting(to, Phase.ANSWER)[:1]:
            fault.strike()
            return ANSWERS[fault.kind.name](fault, to, request, wall)
        answer = self._real(request, to, now, admitted=admitted, wait=wait)
        for fault in self.faults.meeting(to, Phase.CARRY)[:1]:
            fault.strike()
            return CARRIES[fault.kind.name](answer, fault)
        return answer

    def _real(self, request: Request, to: Route, now: float, *, admitted: bool, wait: int | None) -> Answer:
        if to.endpoint == "token":
            return self.credentials.token(request, now)
        if not admitted:
            return json_answer(401, UNAUTHORIZED)
        if wait is not None:
            return throttled(wait)
        if to.endpoint in {"list", "product"}:
            return self._list(request, to) if to.endpoint == "list" else self._product(to)
        if to.endpoint != "inventories":
            return not_found(to)
        vanished = {fault.number for fault in self.faults.live(Phase.ROW) if fault.place == "location"}
        rows = [row for row in self.renderer.locations() if row["id"] not in vanished]
        return json_answer(200, {"inventories": rows})

    def _admits(self, request: Request, now: float) -> bool:
        key: str | None = None
        shut = False
        for fault in self.faults.live(Phase.CREDENTIAL):
            fault.strike()
            match fault.kind.name:
                case "revoke":
                    shut = True
                case "rotate":
                    key = fault.argument
                case "expire":
                    self.credentials.expire()
                case _:
                    self.credentials.forget_refresh()
        return not shut and self.credentials.admits(request.headers, now, key)

    def _list(self, request: Request, to: Route) -> Answer:
        self._deeds(to)
        ask = asked(request, self.largest_page)
        for fault in self._bearing(to, Phase.ASK):
            twist_ask(ask, fault, self.catalogue)
            fault.strike()
        shown = show(self.catalogue, ask)
        if not shown.items:
            return not_found(to)
        rows, pages = self._bearing(to, Phase.ROW), self._bearing(to, Phase.PAGE)
        if not rows and not pages:
            return Answer(200, self.renderer.page(shown.items, shown.pagination), {"Content-Type": JSON})
        ids = {item.id for item in shown.items}
        for fault in (*rows, *pages):
            if fault.place != "product" or fault.number in ids:
                fault.strike()
        body: Row = {"products": [twist_row(self.renderer.row(item), item, rows) for item in shown.items]}
        if shown.pagination is not None:
            body["pagination"] = shown.pagination
        for fault in pages:
            twist_page(body, fault)
        return json_answer(200, body)

    def _product(self, to: Route) -> Answer:
        item = self.catalogue.items.get(to.number)
        if item is None:
            return not_found(to)
        for fault in self.faults.meeting(to, Phase.ASK):
            if fault.kind.name == "gone" or (fault.kind.name == "halve" and to.number in second_half(self.catalogue)):
                fault.strike()
                return not_found(to)
        rows = [fault for fault in self._bearing(to, Phase.ROW) if fault.kind.name != "lie-stock"]
        if not rows:
            return Answer(200, b'{"product":' + self.renderer.product(item) + b"}", {"Content-Type": JSON})
        for fault in rows:
            fault.strike()
        return json_answer(200, {"product": twist_row(self.renderer.row(item), item, rows)})

    def _bearing(self, to: Route, phase: Phase) -> list[Fault]:
        """Faults that touch this request, those of products and locations that may stand in it included."""
        inner = {"product", "location"} if to.endpoint == "list" else {"location"}
        return [fault for fault in self.faults.live(phase) if fault.place in inner or fault.meets(to)]

    def _deeds(self, to: Route) -> None:
        due = [action for page, action in self._before if page == to.number]
        self._before = [entry for entry in self._before if entry[0] != to.number]
        for action in due:
            action(self.catalogue)
        for fault in self.faults.live(Phase.DEED):
            page = 2 if fault.place == "list" else fault.number
            if page == to.number:
                fault.strike()
                # What the deed needs may be gone by now; the page is served all the same.
                with contextlib.suppress(NotFound):
                    _do(fault, self.catalogue)


def _do(fault: Fault, catalogue: Catalogue) -> None:
    argument = fault.argument
    if fault.kind.name == "create-before":
        first = min(catalogue.locations, default=None)
        catalogue.create(argument, stock={} if first is None else {first: 1})
    elif fault.kind.name == "set-before":
        where, _, figure = (argument or "").partition("=")
        product_id, _, location_id = where.partition("/")
        catalogue.stock_take(int(product_id), int(location_id), Decimal(figure))
    elif catalogue.items:
        catalogue.delete(int(argument) if argument else catalogue.ordered()[0].id)
