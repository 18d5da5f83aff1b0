"""The simulator on a socket: `Simulator` for tests and the demo, `run_simulator` for the command."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from stocksync.errors import ConfigurationError
from stocksync.simulator import API_KEY, control
from stocksync.simulator.api import Action, Api, route
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.credentials import Credentials
from stocksync.simulator.delivery import deliver
from stocksync.simulator.faults import Faults
from stocksync.simulator.items import Mix
from stocksync.simulator.journal import Journal, Logged, masked
from stocksync.simulator.limits import RateLimit
from stocksync.simulator.render import Renderer, Style
from stocksync.simulator.trade import Trader, trade
from stocksync.simulator.wire import PREFIX, Request


class Simulator:
    """One simulated Qoyod account, listening from `start` (or `async with`) to `stop`."""

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        *,
        api_key: str = API_KEY,
        rate_limit: int | None = 300,
        seed: int | str = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[str] = (),
        style: Style | None = None,
        largest_page: int = 100,
        token_seconds: int = 3600,
        refresh_tokens: bool = True,
    ) -> None:
        """Prepare it; `port` 0 takes a free one and keeps it over restarts, `rate_limit` None is none.

        Raises:
            ConfigurationError: a fault cannot be read.

        """
        self.catalogue = Catalogue(seed=seed) if catalogue is None else catalogue
        self.credentials = Credentials(api_key, token_seconds=token_seconds, refresh_tokens=refresh_tokens)
        self.faults = Faults(faults)
        self.limit = RateLimit(rate_limit)
        self.renderer = Renderer(self.catalogue, style)
        self.api = Api(
            self.catalogue,
            credentials=self.credentials,
            faults=self.faults,
            limit=self.limit,
            renderer=self.renderer,
            largest_page=largest_page,
        )
        self.requests = Journal()
        self.trader = Trader(self.catalogue, seed)
        self.trading = 0.0
        """Deeds per second at the moment."""
        self._trade: asyncio.Task[None] | None = None
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    @property
    def root(self) -> str:
        """The address of the control endpoints and of `/oauth/token`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def url(self) -> str:
        """The base URL to configure."""
        return f"{self.root}{PREFIX}"

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return f"{self.root}/oauth/token"

    async def __aenter__(self) -> Self:
        """Start listening."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the address cannot be listened on.

        """
        self._closing.clear()
        app = web.Application()
        control.add_routes(app, self)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # A client that gives up must also end the handler that hangs for it.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; choose another host or port"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop trade, let go of clients that hang, and close the port; `start` opens it again."""
        await self.stop_trade()
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def before(self, page: int, action: Action) -> None:
        """Call `action(catalogue)` once, just before this page of the list is served next."""
        self.api.before(page, action)

    def start_trade(self, per_second: float) -> None:
        """Trade at this pace from now on; needs a running loop."""
        if self._trade is not None:
            self._trade.cancel()
            self._trade = None
        self.trading = per_second
        # A deed takes no await, so a cancelled task cannot trade once more.
        if per_second > 0:
            self._trade = asyncio.create_task(trade(self.trader, per_second))

    async def stop_trade(self) -> None:
        """End trade; when this returns, no figure moves by itself."""
        task, self._trade, self.trading = self._trade, None, 0.0
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def clear(self) -> None:
        """Forget the request log, the faults, the actions that wait, and the used-up part of the limit."""
        self.requests.clear()
        self.api.forget()
        self.limit.forget()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read() if request.can_read_body else b""
        asked = Request(
            request.method,
            request.path,
            tuple(request.query.items()),
            {name.lower(): value for name, value in request.headers.items()},
            body,
        )
        now, wall = time.monotonic(), datetime.now(UTC)
        answer = self.api.answer(asked, now=now, wall=wall)
        to = route(asked)
        self.requests.add(
            Logged(
                number=self.requests.next_number(),
                monotonic=now,
                wall=wall,
                method=asked.method,
                path=asked.path,
                query=tuple(asked.query),
                page=to.number if to.endpoint == "list" else None,
                status=answer.status,
                manner=answer.manner.value,
                headers=masked(asked.headers),
            )
        )
        return await deliver(request, answer, self._closing)


async def run_simulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    products: int = 2000,
    locations: int = 3,
    rate_limit: int | None = 300,
    trade_per_second: float = 0.0,
    faults: Iterable[str] = (),
    api_key: str = API_KEY,
    seed: int | str = 0,
    mix: Mix | None = None,
    ready: Callable[[Simulator], None] | None = None,
    until: asyncio.Event | None = None,
) -> None:
    """Run a simulator until cancelled, or until `until` is set; `ready` is called once it listens.

    Raises:
        ConfigurationError: a fault cannot be read, or the address cannot be listened on.

    """
    simulator = Simulator(
        Catalogue(products, locations, seed=seed, mix=mix),
        api_key=api_key,
        rate_limit=rate_limit,
        seed=seed,
        host=host,
        port=port,
        faults=faults,
    )
    simulator.renderer.warm()
    async with simulator:
        simulator.start_trade(trade_per_second)
        if ready is not None:
            ready(simulator)
        await (until or asyncio.Event()).wait()
