"""`stocksync serve`: page, metrics and interfaces for all accounts of a fleet, from the state alone, in any number."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Mapping

import structlog

from stocksync import __version__
from stocksync.app.awaited_state import AwaitedState
from stocksync.app.config_watch import SEEN_BY_ITSELF, ConfigWatch
from stocksync.app.daemon import on_signals
from stocksync.app.endpoint import Endpoint, serving
from stocksync.app.fleet_products import FleetProducts
from stocksync.app.notifying import OneOfMany, notifying
from stocksync.app.on_demand import AccountsOnDemand
from stocksync.app.preflight import refuse_private_state
from stocksync.app.supervision import tell_refused
from stocksync.app.systemd import Systemd
from stocksync.app.wiring import open_builder, owner_name, watch
from stocksync.config import Config
from stocksync.core.status import AccountStatus
from stocksync.observe import heartbeat, standard_error
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.observe.fleet_metrics import FleetMetrics
from stocksync.run.poll_leases import PollLeases
from stocksync.state.database import Database

log = structlog.get_logger(__name__)


class SummarisedState(AwaitedState):
    """The state of a fleet, whose accounts are too many to count their cells at each look."""

    async def status(self, accounts: Iterable[str], known: Mapping[str, AccountStatus]) -> list[AccountStatus]:  # noqa: ARG002  one statement has it all
        """Give the accounts' status as their last complete cycles left it.

        Raises:
            StateUnavailable: it cannot be read.

        """
        return await self.opened().summaries(accounts)

    async def in_full(self, account: str) -> AccountStatus | None:
        """Give one account's status with its rows, for its card."""
        found = await self.opened().status([account], {})
        return found[0] if found else None


async def run_serve(config: Config, relog: Callable[[Config], None] = lambda _: None) -> None:
    """Serve until a signal; changed files of the configuration are read again by themselves, and on SIGHUP.

    Raises:
        ConfigurationError, SchemaBehind: a person must act first.

    """
    stopping, systemd = asyncio.Event(), Systemd()
    on_signals(stopping, systemd)
    refuse_private_state(config)
    log.info("starting", version=__version__, file=str(config.file or ""), accounts=len(config.accounts))
    metrics = FleetMetrics(map(watch, config.accounts), standard_error.dropped)
    metrics.reloaded(well=not tell_refused(config, SEEN_BY_ITSELF))
    async with serving(config, metrics, SummarisedState(config, heartbeat.utc_now, writes=False)) as endpoint:
        host, port = endpoint.address
        log.info("serving", page=f"http://{host}:{port}/", metrics=f"http://{host}:{port}/metrics")
        systemd.ready()
        sends = OneOfMany(endpoint.state, owner_name())
        async with heartbeat.running(systemd.feeding()), notifying(config, endpoint, sends) as endpoint.listeners:
            state = await endpoint.state.open(stopping)
            if state is not None:
                await _serve(config, endpoint, state, stopping, relog)
    log.info("stopped")


async def _serve(
    config: Config, endpoint: Endpoint, state: Database, stopping: asyncio.Event, relog: Callable[[Config], None]
) -> None:
    bus = Bus(EventLog().hear, endpoint.metrics.hear, *endpoint.listeners)
    async with open_builder(bus.publish, state) as builder:
        accounts, leases = AccountsOnDemand(builder), PollLeases(state, owner_name())
        await accounts.follow(config)

        async def follow(config: Config) -> None:
            await accounts.follow(config)
            endpoint.watch(config)
            relog(config)

        files = ConfigWatch(config, follow, lambda problem: endpoint.metrics.reloaded(well=not problem))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, files.asked.set)
        endpoint.working = FleetProducts(accounts, leases, state)
        async with heartbeat.running(files.run(), leases.keep(), endpoint.view.run()):
            await stopping.wait()
        endpoint.state.forget()
