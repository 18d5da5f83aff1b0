"""The daemon's HTTP side: it answers from the first second on, before there is a state to read."""

import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stocksync.app.awaited_state import AwaitedState
from stocksync.app.wiring import watch
from stocksync.config import SEARCHED, Config
from stocksync.core.health import Watched
from stocksync.errors import StateUnavailable
from stocksync.observe import heartbeat, standard_error
from stocksync.observe.bus import Listener
from stocksync.observe.metrics import Metrics
from stocksync.web.access import Token
from stocksync.web.lookups import Products
from stocksync.web.server import Web, serve


@dataclass(slots=True)
class Endpoint:
    """What is served, and what it is read from."""

    state: AwaitedState
    metrics: Metrics
    view: heartbeat.StateView
    accounts: dict[str, Watched]
    address: tuple[str, int] = ("", 0)
    working: Products | None = None
    """None until there are accounts to look products up in."""
    watchdog: Callable[[], Sequence[str]] = tuple
    """Names what stands still although the event loop turns."""
    site: Web | None = None
    listeners: Sequence[Listener] = ()
    """Who else hears what happens."""

    def watch(self, config: Config) -> None:
        """Show the accounts of this configuration, and no series of any other."""
        accounts = {one.name: watch(one, config.tenant(one)) for one in config.accounts}
        for name in self.accounts.keys() - accounts.keys():
            self.metrics.retire(name)
        for account in accounts.values():
            self.metrics.watch(account)
        self.accounts = accounts
        self.view.watch(list(accounts))
        if self.site is not None:
            self.site.watch(list(accounts.values()))

    def products(self) -> Products:
        """Give who looks products up.

        Raises:
            StateUnavailable: it is too early for that.

        """
        if self.working is None:
            waiting = self.state.waiting()
            raise StateUnavailable(waiting.because if waiting else "stocksync starts")
        return self.working

    def complaints(self) -> Sequence[str]:
        """Name what stands still; nothing where nothing was begun yet."""
        return self.watchdog()


@asynccontextmanager
async def serving(
    config: Config, metrics: Metrics | None = None, state: AwaitedState | None = None
) -> AsyncIterator[Endpoint]:
    """Serve page, metrics and health until the block ends; nothing is opened but the port.

    Without `metrics`, all those of each account are shown; without `state`, it is opened to be written to.

    Raises:
        ConfigurationError: the address cannot be listened on, or the token cannot be read.

    """
    accounts = {one.name: watch(one, config.tenant(one)) for one in config.accounts}
    watched = list(accounts.values())
    state, metrics = (
        state or AwaitedState(config, heartbeat.utc_now),
        metrics or Metrics(watched, standard_error.dropped),
    )
    beat = heartbeat.Heartbeat(metrics)
    tokens = [Token(secret.read(), refreshes=refreshes) for secret, refreshes in config.http.granted]
    endpoint = Endpoint(state, metrics, heartbeat.StateView(state, list(accounts), metrics), accounts)
    endpoint.site = Web(
        accounts=watched, statuses=endpoint.view.get, changes=state.changes_after, register=state,
        products=endpoint.products, loop_age=beat.age, complaints=endpoint.complaints,
        render=metrics.render, now=heartbeat.utc_now, waiting=state.waiting, tokens=tokens,
        metrics_need_token=config.http.metrics_need_token, options=options_of(config),
    )  # fmt: skip
    async with serve(endpoint.site, *config.http.address) as endpoint.address, heartbeat.running(beat.run()):
        yield endpoint


def options_of(config: Config) -> str:
    """Give the option that names the configuration; "" where a command finds it from anywhere."""
    file = config.file
    return f"--config {shlex.quote(str(file.absolute()))}" if file and file.absolute() not in SEARCHED else ""
