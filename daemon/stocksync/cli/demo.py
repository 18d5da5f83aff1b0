"""`demo`: a simulated Qoyod, a SQLite target and the daemon in one, with a page to look at."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from stocksync import app
from stocksync.cli.demonstration import ACCOUNT, SeenCycles, differences, panel, ports, prepare, summary
from stocksync.cli.program import Debug, wait_for
from stocksync.cli.terminal import out
from stocksync.config import Config
from stocksync.core.report import CycleReport
from stocksync.errors import AddressTaken
from stocksync.observe.logs import configure
from stocksync.simulator import API_KEY

if TYPE_CHECKING:
    from stocksync.simulator.server import Simulator

_LOCATIONS = 3
_LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class _Wish:
    seconds: float | None
    directory: Path
    products: int
    trade: float
    seed: int


def demo(
    *,
    seconds: Annotated[
        float | None, typer.Option(min=1, metavar="N", help="End after so long, compare every figure, and sum up.")
    ] = None,
    directory: Annotated[Path, typer.Option("--directory", metavar="DIR", help="Where it keeps its files.")] = Path(
        ".demo"
    ),
    products: Annotated[int, typer.Option(min=1, max=5000, help="Size of the simulated catalogue.")] = 2000,
    trade: Annotated[float, typer.Option(min=0, metavar="PER_SECOND", help="Sales, receipts, … a second.")] = 5.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same catalogue and trade.")] = 0,
    debug: Debug = False,
) -> None:
    """See it at work: a simulated Qoyod with live trade, the daemon, a SQLite target, and a page to look at.

    Touches nothing but its own directory. Ctrl-C ends it. With --seconds trade stops at the end, one more cycle runs,
    every figure in the target is compared with Qoyod's, and it ends with 1 where one differs.

    $ stocksync demo
    $ stocksync demo --seconds 20
    """
    configure("auto", "debug" if debug else "error")
    well = wait_for(_show(_Wish(seconds, directory, products, trade, seed)))
    raise typer.Exit(0 if well else 1)


async def _show(wish: _Wish) -> bool:
    # The daemon starts without them.
    from stocksync.simulator.catalogue import Catalogue  # noqa: PLC0415
    from stocksync.simulator.server import Simulator  # noqa: PLC0415

    catalogue = Catalogue(wish.products, _LOCATIONS, seed=wish.seed)
    simulator = Simulator(catalogue, seed=wish.seed)
    simulator.renderer.warm()
    async with simulator:
        return await _run(simulator, wish)


@asynccontextmanager
async def _daemon(simulator: "Simulator", wish: _Wish) -> AsyncIterator[tuple[Config, app.Service]]:
    # Whether a port is free is known only when it is listened on: another demo may start at the same moment.
    taken: AddressTaken | None = None
    async with AsyncExitStack() as stack:
        for port in ports():
            config = prepare(wish.directory, simulator.url, API_KEY, port)
            try:
                service = await stack.enter_async_context(app.service(config))
            except AddressTaken as error:
                taken = error
                continue
            yield config, service
            return
    assert taken is not None  # noqa: S101  for the type checker: there are ports
    raise taken


async def _run(simulator: "Simulator", wish: _Wish) -> bool:
    seen = SeenCycles()
    async with _daemon(simulator, wish) as (config, service):
        out.print(panel(config, wish.directory, simulator))
        simulator.start_trade(wish.trade)
        watching = asyncio.create_task(_watch(config, seen))
        with _interrupted() as stop:
            ended = asyncio.create_task(service.stopped())
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait([ended, waiting], timeout=wish.seconds, return_when=asyncio.FIRST_COMPLETED)
            finished = wish.seconds is not None and not stop.is_set() and not ended.done()
            await simulator.stop_trade()
            last = await _last_cycle(service, stop) if finished else None
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        waiting.cancel()
        ended.cancel()
    if last is None:
        out.print(summary(seen, None, 0))
        return True
    for line in seen.news([last]):
        out.print(line)
    truth = simulator.catalogue.figures()
    found = differences(config, truth)
    out.print(summary(seen, found, len(truth)))
    return not found and last.complete


async def _last_cycle(service: app.Service, stop: asyncio.Event) -> CycleReport | None:
    out.print(Text("trade has stopped; one more cycle, then every figure is compared …", style="dim"))
    cycle = asyncio.create_task(service.cycle_now(ACCOUNT))
    impatient = asyncio.create_task(stop.wait())
    await asyncio.wait([cycle, impatient], return_when=asyncio.FIRST_COMPLETED)
    impatient.cancel()
    if not cycle.done():
        cycle.cancel()
        return None
    return cycle.result()


async def _watch(config: Config, seen: SeenCycles) -> None:
    """Print each cycle as it ends; what happens is read where every other command reads it, from the state."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for account, _ in await app.status(config):
            for line in seen.news(account.cycles):
                out.print(line)


@contextmanager
def _interrupted() -> Iterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
