"""`stocksync worker`: takes polls and audits of any account from Temporal, until a signal."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from stocksync import __version__
from stocksync.app.config_watch import SEEN_BY_ITSELF, ConfigWatch
from stocksync.app.daemon import on_signals
from stocksync.app.endpoint import Endpoint, serving
from stocksync.app.fleet import settings_of
from stocksync.app.on_demand import AccountsOnDemand
from stocksync.app.preflight import refuse_private_state
from stocksync.app.supervision import tell_refused
from stocksync.app.systemd import Systemd
from stocksync.app.wiring import Builder, open_builder, owner_name
from stocksync.config import Config
from stocksync.fleet.activity import Activities
from stocksync.fleet.worker import connected, work
from stocksync.observe import heartbeat, standard_error
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.observe.summed import SummedMetrics
from stocksync.run.poll_leases import PollLeases

log = structlog.get_logger(__name__)


async def run_worker(config: Config, relog: Callable[[Config], None] = lambda _: None) -> None:
    """Work until a signal, then drain; a second signal ends at once, SIGHUP reads the configuration again.

    Raises:
        ConfigurationError, SchemaBehind: a person must act first.

    """
    stopping, systemd = asyncio.Event(), Systemd()
    on_signals(stopping, systemd)
    settings_of(config.fleet)
    refuse_private_state(config)
    log.info("starting", version=__version__, file=str(config.file or ""), accounts=len(config.accounts))
    tell_refused(config, SEEN_BY_ITSELF)
    bare = config.model_copy(update={"accounts": ()})
    async with serving(bare, SummedMetrics((), standard_error.dropped)) as endpoint:
        host, port = endpoint.address
        log.info("serving", metrics=f"http://{host}:{port}/metrics")
        state = await endpoint.state.open(stopping)
        if state is not None:
            async with open_builder(Bus(EventLog().hear, endpoint.metrics.hear).publish, state) as builder:
                await _Worker(config, endpoint, builder, stopping, systemd, relog).run()
    log.info("stopped")


@dataclass(slots=True)
class _Worker:
    config: Config
    endpoint: Endpoint
    builder: Builder
    stopping: asyncio.Event
    systemd: Systemd
    relog: Callable[[Config], None]

    async def run(self) -> None:
        owner, settings, state = owner_name(), settings_of(self.config.fleet), self.builder.state
        accounts, leases = AccountsOnDemand(self.builder), PollLeases(state, owner)
        activities = Activities(accounts.lend, leases, state)
        await accounts.follow(self.config)
        gc.collect()
        gc.freeze()  # what is there by now lives as long as the worker: whoever looks for garbage need not look at it

        async def follow(config: Config) -> None:
            await accounts.follow(config)
            self.relog(config)

        watch = ConfigWatch(self.config, follow, lambda problem: self.endpoint.metrics.reloaded(well=not problem))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, watch.asked.set)

        def standing() -> str:
            return f"{len(activities.at_work)} at work, {activities.done:,} done"

        async with heartbeat.running(watch.run(), self.systemd.feeding(standing)), self._kept(leases):
            client = await connected(settings, owner, self.stopping)
            if client is not None:
                self.systemd.ready()
                await work(client, settings, activities, self.config.fleet.concurrency, self.stopping)

    @asynccontextmanager
    async def _kept(self, leases: PollLeases) -> AsyncIterator[None]:
        """Renew until the block ends; a worker whose renewals have died drains, and raises what killed them."""
        keeper = asyncio.create_task(leases.keep(), name="leases")
        keeper.add_done_callback(lambda _: self.stopping.set())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
        if not keeper.cancelled():
            keeper.result()
