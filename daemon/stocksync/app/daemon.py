"""The daemon: everything in one process, from the first signal to the last."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from stocksync import __version__
from stocksync.app.endpoint import Endpoint, serving
from stocksync.app.forwarding import address_of
from stocksync.app.garbage import keep_what_stays
from stocksync.app.notifying import notifying
from stocksync.app.preflight import preflight
from stocksync.app.products import Products
from stocksync.app.supervision import Reload, supervise, tell_refused
from stocksync.app.systemd import Systemd
from stocksync.app.wiring import open_runtime
from stocksync.config import Config, effective
from stocksync.core.events import AccountRetired
from stocksync.core.report import CycleReport
from stocksync.observe import heartbeat
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.run.service import Service as Loop
from stocksync.state.database import Database
from stocksync.web.access import is_loopback

log = structlog.get_logger(__name__)


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


async def run(config: Config, relog: Callable[[Config], None] = lambda _: None) -> None:
    """Be the daemon until a signal; a second signal ends at once, and SIGHUP reads the configuration again.

    `relog` is called with a configuration that is taken up: log as it says.

    Raises:
        ConfigurationError, SchemaBehind: a person must act first.

    """
    stopping, systemd = asyncio.Event(), Systemd()
    on_signals(stopping, systemd)
    names = [one.name for one in config.accounts]
    log.info(
        "starting", version=__version__, file=str(config.file or ""), accounts=names, configuration=effective(config)
    )
    config = preflight(config)
    async with serving(config) as endpoint:
        host, port = endpoint.address
        root = f"http://{host}:{port}"
        if config.http.granted or is_loopback(config.http.address[0]):
            log.info("serving", page=f"{root}/", metrics=f"{root}/metrics")
        else:
            log.info("serving", metrics=f"{root}/metrics")
            log.warning("page_refused_to_others", todo="set http.token_env or [[http.tokens]], or listen on 127.0.0.1")
        reload = Reload(config, endpoint, systemd, relog, problem=tell_refused(config))
        endpoint.metrics.reloaded(well=not reload.problem)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.asked.set)
        async with (
            heartbeat.running(reload.run(), supervise(endpoint, systemd, reload)),
            notifying(config, endpoint) as endpoint.listeners,
        ):
            state = await endpoint.state.open(stopping)
            if state is not None:
                await _work(reload, state, stopping)
    log.info("stopped")


async def _work(reload: Reload, state: Database, stopping: asyncio.Event) -> None:
    async def look_first() -> None:
        await running.loop.first_look()
        reload.systemd.ready()

    async with (
        _working(reload.config, reload.endpoint, state, reload) as running,
        heartbeat.running(look_first()),
    ):
        asked = asyncio.create_task(stopping.wait())
        asked.add_done_callback(lambda _: running.stop())
        try:
            await running.stopped()
        finally:
            asked.cancel()


@asynccontextmanager
async def service(config: Config) -> AsyncIterator[Service]:
    """Run everything a daemon has; it drains when the block ends.

    Raises:
        ConfigurationError, SchemaBehind, StateUnavailable, StateInUse: it cannot start.

    """
    async with serving(config) as endpoint:
        state = await endpoint.state.open_now()
        async with notifying(config, endpoint) as endpoint.listeners, _working(config, endpoint, state) as running:
            yield running


@asynccontextmanager
async def _working(
    config: Config, endpoint: Endpoint, state: Database, reload: Reload | None = None
) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        bus = Bus(EventLog().hear, endpoint.metrics.hear, *endpoint.listeners)
        runtime = await stack.enter_async_context(open_runtime(config, bus.publish, state))
        while reload is not None and reload.config is not runtime.config:
            await runtime.rewire(reload.config)  # it was read while the accounts of the one before were made
        stack.callback(endpoint.state.forget)
        progressing = reload.systemd.feed if reload else lambda: None
        address = address_of(*endpoint.address)
        loop = Loop(list(runtime.accounts.values()), runtime.state, runtime.owner, progressing, address)
        if reload is not None:

            async def follow(config: Config) -> None:
                accounts = await runtime.rewire(config)
                gone = loop.runners.keys() - {one.name for one in config.accounts}
                endpoint.watch(config)
                await loop.work_for(accounts)
                for name in gone:
                    bus.publish(AccountRetired(name))
                await runtime.tidy()

            reload.work_for = follow
        endpoint.working, endpoint.watchdog = Products(runtime, loop), loop.complaints
        upkeep = keep_what_stays(lambda: sum(runner.lease is not None for runner in loop.runners.values()))
        await stack.enter_async_context(heartbeat.running(endpoint.view.run(), upkeep))
        running = asyncio.create_task(loop.run(), name="service")
        stack.push_async_callback(asyncio.wait, [running])
        stack.callback(loop.stop)
        yield Service(loop, endpoint.address, running)


def on_signals(stopping: asyncio.Event, systemd: Systemd) -> None:
    """Set `stopping` at the first SIGTERM or SIGINT; a second one ends the process at once."""

    def heard(number: int) -> None:
        if stopping.is_set():
            # Whatever was being written has its intent recorded: dying here loses nothing.
            os._exit(128 + number)
        log.info("stopping", signal=signal.Signals(number).name, hint="a second signal ends at once")
        systemd.stopping()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard, number)
