"""Commands that work: run, healthcheck, once, migrate, simulator."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.text import Text

from stocksync import app
from stocksync.cli.format import cycle
from stocksync.cli.planning import show_previews
from stocksync.cli.program import (
    Account,
    AsJson,
    ConfigFile,
    Debug,
    known,
    log_as,
    settings,
    wait_for,
)
from stocksync.cli.terminal import complain, err, note, out, print_json, progress
from stocksync.config import http_of
from stocksync.core.model import Verdict
from stocksync.core.report import WELL, CycleReport, Outcome
from stocksync.observe.standard_error import unblock
from stocksync.simulator import API_KEY

if TYPE_CHECKING:
    from stocksync.simulator.server import Simulator


def run(config: ConfigFile = None, *, debug: Debug = False) -> None:
    """Poll Qoyod and keep the target equal, until it is told to stop.

    SIGTERM and Ctrl-C let a running batch finish (30 s at most); a second one ends at once. SIGHUP reads the
    configuration again: accounts appear, change and vanish without disturbing others; a faulty file changes nothing.
    What happens is logged to standard error; a page to look at, /metrics and /healthz stand on http.listen.

    $ stocksync run
    $ stocksync run --config /etc/stocksync/config.toml
    """
    unblock()
    wait_for(app.run(settings(config, debug=debug, daemon=True), log_as))


def once(
    config: ConfigFile = None,
    account: Account = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Write nothing; show what would be written.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", metavar="", help="Look at every product, and compare every live row.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run one cycle now and tell how it went.

    Ends with 1 where a cycle failed, not all could be read, more figures were refused than guards.quarantined allows,
    or Qoyod no longer shows most of them; with 3 where a guard holds part of it.

    $ stocksync once
    $ stocksync once --account main --dry-run
    $ stocksync once --full
    $ stocksync once --json | jq '.[0].counts'
    """
    loaded = settings(config, debug=debug)
    name = known(loaded, account)
    with progress() as report:
        if dry_run:
            previews = wait_for(app.plan(loaded, name, report, full=full))
        else:
            reports = wait_for(app.once(loaded, name, report, full=full))
    if dry_run:
        show_previews(previews, as_json=as_json)
    elif as_json:
        print_json(reports)
    for index, cycle_report in enumerate([] if dry_run or as_json else reports):
        if index:
            out.print()
        out.print(cycle.report(cycle_report))
    if not dry_run:
        raise typer.Exit(exit_code(reports))


def healthcheck(config: ConfigFile = None) -> None:
    """Ask the daemon on this machine whether its event loop turns, for containers.

    Ends with 0 where it does and with 1 where not. Outages of Qoyod, of the target or of the state are no reason to
    restart a container, and so are none to end with 1. Of the configuration it reads `http.listen` alone.

    $ stocksync healthcheck
    """
    well, words = wait_for(app.ask_whether_it_turns(http_of(config)))
    if not well:
        complain(words)
        raise typer.Exit(1)
    out.print(words)


def migrate(
    config: ConfigFile = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only say whether there is something to do.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring the state database to the schema of this version.

    Stop the daemon first. SQLite state migrates by itself; for the others `run` asks for this.

    $ stocksync migrate
    $ stocksync migrate --dry-run
    """
    behind, what = wait_for(app.migrate(settings(config, debug=debug), dry_run=dry_run))
    if as_json:
        print_json({"was_at_head": not behind, "what": what})
    else:
        out.print(what)


def simulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8787,
    products: Annotated[int, typer.Option(min=0, help="Size of the catalogue.")] = 2000,
    locations: Annotated[int, typer.Option(min=1, max=50, help="Warehouses.")] = 3,
    rate_limit: Annotated[int, typer.Option(min=0, help="Requests per minute before 429; 0: no limit.")] = 300,
    trade: Annotated[float, typer.Option(min=0, metavar="PER_SECOND", help="Sales, receipts, … a second.")] = 0.0,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="FAULT", help="A fault, such as page-2=500x3; may be repeated.")
    ] = None,
    api_key: Annotated[str, typer.Option(help="The key that it accepts.")] = API_KEY,
    seed: Annotated[int, typer.Option(help="The same seed gives the same catalogue and trade.")] = 0,
) -> None:
    """Be a Qoyod on localhost: a catalogue, live trade, and every fault it can have.

    Point [bold]base_url[/bold] at the address it prints. Figures and faults can be changed while it runs, under /_sim/.

    $ stocksync simulator --trade 5
    $ stocksync simulator --products 200 --fault page-2=500x3 --fault all=429x5
    """
    from stocksync.simulator.server import run_simulator  # noqa: PLC0415  the daemon starts without it

    asyncio.run(
        run_simulator(
            host=host,
            port=port,
            products=products,
            locations=locations,
            rate_limit=rate_limit or None,
            trade_per_second=trade,
            faults=fault or (),
            api_key=api_key,
            seed=seed,
            ready=_announce,
        )
    )


def exit_code(reports: Sequence[CycleReport]) -> int:
    """Give what `once` ends with: 1 before 3 before 0."""
    for report in reports:
        read_badly = report.outcome is not Outcome.EMPTY and report.verdict is not Verdict.COMPLETE
        if report.outcome not in WELL or read_badly or report.unwell:
            return 1
    return 3 if any(report.outcome is Outcome.HELD for report in reports) else 0


def _announce(started: "Simulator") -> None:
    lines = Text.assemble(
        ("base_url  ", "dim"), (started.url, "bold"), ("\ncontrol   ", "dim"), f"{started.root}/_sim/state",
        ("\nkey       ", "dim"), started.credentials.api_key, ("\nCtrl-C ends it", "dim"),
    )  # fmt: skip
    if err.is_terminal:
        err.print(Panel(lines, title="a simulated Qoyod", expand=False, border_style="green"))
    else:
        note(f"listening on {started.url}, key {started.credentials.api_key}; faults and figures: {started.root}/_sim/")
