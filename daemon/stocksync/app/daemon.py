"""The daemon: everything in one process, from the first signal to the last."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from stocksync import __version__
from stocksync.app.wiring import Runtime, open_runtime, watch
from stocksync.config import Config, effective
from stocksync.core.answers import StockAnswer
from stocksync.core.report import CycleReport
from stocksync.errors import NotFound, StateInUse, StateUnavailable
from stocksync.observe import heartbeat
from stocksync.observe.event_log import EventLog
from stocksync.observe.metrics import Metrics
from stocksync.observe.observers import Observers
from stocksync.run.lookup import Query, look_up
from stocksync.run.service import Service as Loop
from stocksync.state.database import Database, open_state
from stocksync.web.server import Web, serve

log = structlog.get_logger(__name__)

T = TypeVar("T")
_AGAIN_SECONDS = 2.0


@dataclass(slots=True)
class Service:
    """A running daemon, for those who embed it."""

    loop: Loop
    address: tuple[str, int]
    """Where the page and the metrics are served."""
    _running: asyncio.Task[None]

    async def cycle_now(self, account: str) -> CycleReport:
        """Run one cycle to its end.

        Raises:
            LeaseLost: another process is the writer.

        """
        return await self.loop.runners[account].cycle_now()

    def stop(self) -> None:
        """Ask it to drain."""
        self.loop.stop()

    async def stopped(self) -> None:
        """Wait until it has drained.

        Raises:
            Exception: what killed one of its tasks.

        """
        await asyncio.shield(self._running)


async def run(config: Config) -> None:
    """Be the daemon until a signal; a second signal ends at once.

    Raises:
        ConfigurationError, SchemaBehind: a person must act first.

    """
    stopping = asyncio.Event()
    _on_signals(stopping)
    log.info("starting", version=__version__, configuration=effective(config))
    state = await _opened_state(config, stopping)
    if state is not None:
        async with service(config, state) as running:
            host, port = running.address
            log.info("serving", page=f"http://{host}:{port}/", metrics=f"http://{host}:{port}/metrics")
            await _until(running, stopping)
    log.info("stopped")


async def _until(running: Service, stopping: asyncio.Event) -> None:
    asked = asyncio.create_task(stopping.wait())
    asked.add_done_callback(lambda _: running.stop())
    try:
        await running.stopped()
    finally:
        asked.cancel()


@asynccontextmanager
async def service(config: Config, state: Database | None = None) -> AsyncIterator[Service]:
    """Run everything a daemon has; it drains when the block ends.

    Raises:
        ConfigurationError, SchemaBehind, StateUnavailable, StateInUse: it cannot start.

    """
    watched = [watch(one) for one in config.accounts]
    metrics = Metrics(watched)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_runtime(config, Observers(EventLog(), metrics), state))
        house.state.lock()
        loop = Loop(list(house.accounts.values()), house.state, house.owner)
        beat = heartbeat.Heartbeat(metrics)
        view = heartbeat.StateView(house.state, list(house.accounts), metrics)
        web = Web(
            accounts=watched, statuses=view.get, lookup=_lookup(house, loop), loop_age=beat.age,
            complaints=loop.complaints,
            render=metrics.render, now=heartbeat.utc_now, token=_token(config),
        )  # fmt: skip
        address = await stack.enter_async_context(serve(web, *config.http.address))
        await stack.enter_async_context(heartbeat.running(beat, view))
        running = asyncio.create_task(loop.run(), name="service")
        stack.push_async_callback(_drained, loop, running)
        yield Service(loop, address, running)


async def _drained(loop: Loop, running: asyncio.Task[None]) -> None:
    loop.stop()
    await asyncio.wait([running])


def _token(config: Config) -> str:
    return config.http.token.read() if config.http.token else ""


def _lookup(house: Runtime, loop: Loop) -> Callable[[str | None, str | None, int | None, bool], Awaitable[StockAnswer]]:
    async def lookup(account: str | None, sku: str | None, product_id: int | None, fresh: bool) -> StockAnswer:  # noqa: FBT001
        query = Query(sku, product_id)
        for one in house.chosen(account):
            try:
                return await look_up(one, house.state, query, loop.runners[one.name].leadership.lease, fresh=fresh)
            except NotFound:
                continue
        raise NotFound(f"no account knows a product with {query}")

    return lookup


async def _opened_state(config: Config, stopping: asyncio.Event) -> Database | None:
    """Open and lock the state, waiting for a database that is away and for a holder to leave."""
    state: Database | None = None

    async def attempt() -> Database:
        nonlocal state
        state = state or await open_state(config.state.dsn(), config.state.keep_ledger)
        state.lock()
        return state

    try:
        opened = await _patiently(attempt, stopping)
    except BaseException:
        if state is not None:
            await state.close()
        raise
    if opened is None and state is not None:
        await state.close()
    return opened


async def _patiently(attempt: Callable[[], Awaitable[T]], stopping: asyncio.Event) -> T | None:
    said = ""
    while not stopping.is_set():
        try:
            return await attempt()
        except (StateUnavailable, StateInUse) as error:
            event = "standing_by" if isinstance(error, StateInUse) else "state_unavailable"
            if event != said:
                log.warning(event, error=str(error), again_every_seconds=_AGAIN_SECONDS)
            said = event
        await _pause(stopping)
    return None


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_AGAIN_SECONDS):
            await stopping.wait()
    except TimeoutError:
        return


def _on_signals(stopping: asyncio.Event) -> None:
    def heard(number: int) -> None:
        if stopping.is_set():
            # Whatever was being written has its intent recorded: dying here loses nothing.
            os._exit(128 + number)
        log.info("stopping", signal=signal.Signals(number).name, hint="a second signal ends at once")
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard, number)
