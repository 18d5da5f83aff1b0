"""Commands of the fleet: fleet apply, fleet status, worker, serve."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from stocksync import app
from stocksync.cli.format import fleet as rendered
from stocksync.cli.program import AsJson, ConfigFile, Debug, log_as, settings, wait_for
from stocksync.cli.terminal import note, out, print_json
from stocksync.config import Config
from stocksync.config.values import split_listen
from stocksync.core.fleet_status import ScheduleStep
from stocksync.errors import DriverMissing
from stocksync.observe.standard_error import unblock

Listen = Annotated[
    str | None,
    typer.Option(
        "--listen", metavar="HOST:PORT", help="In place of http.listen; port 0 takes a free one.", show_default=False
    ),
]


def apply(
    config: ConfigFile = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only show what would be done.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make Temporal's schedules equal to the configuration: one for polls and one for audits of each account.

    Prints what it does before it does it. Schedules that are not this fleet's are never touched; what a person has
    paused stays paused. While a file of accounts_dir is faulty nothing is deleted: its account's schedules are paused.

    $ stocksync fleet apply --dry-run
    $ stocksync fleet apply
    """
    loaded = settings(config, debug=debug)
    with _temporal_installed():
        steps = wait_for(_apply(loaded, dry_run=dry_run, as_json=as_json))
    if as_json:
        print_json(steps)


async def _apply(loaded: Config, *, dry_run: bool, as_json: bool) -> Sequence[ScheduleStep]:
    async with app.applying(loaded) as applying:
        if not as_json:
            out.print(rendered.steps(applying.steps))
        if not dry_run:
            await applying.carry_out()
            if not as_json and applying.steps:
                note("done")
        return applying.steps


def status(config: ConfigFile = None, *, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show which workers live, and which schedules run, are late, paused or missing.

    Ends with 1 where no worker lives, or a schedule is late or missing. How fresh the figures are: stocksync status.

    $ stocksync fleet status
    $ stocksync fleet status --json | jq '.schedules[] | select(.state == "late")'
    """
    loaded = settings(config, debug=debug)
    with _temporal_installed():
        found = wait_for(app.fleet_status(loaded))
    if as_json:
        print_json(found)
    else:
        out.print(rendered.status(found))
    raise typer.Exit(0 if found.well else 1)


def worker(config: ConfigFile = None, *, listen: Listen = None, debug: Debug = False) -> None:
    """Take polls and audits of any account from Temporal, until it is told to stop (docs/fleet.md).

    SIGTERM and Ctrl-C let what runs end (30 s at most); what does not goes on elsewhere. Changed files of the
    configuration are read again by themselves, and on SIGHUP. Metrics of this process stand on http.listen.

    $ stocksync worker
    $ stocksync worker --listen 127.0.0.1:0
    """
    unblock()
    loaded = _listening(settings(config, debug=debug, daemon=True), listen)
    with _temporal_installed():
        wait_for(app.run_worker(loaded, log_as))


def serve(config: ConfigFile = None, *, listen: Listen = None, debug: Debug = False) -> None:
    """Serve the page, /metrics, /readyz and /api for all accounts of a fleet, from the state alone (docs/fleet.md).

    It polls nothing, so any number of copies may run. Each account has at most 15 series in /metrics; the rest is
    summed. Changed files of the configuration are read again by themselves, and on SIGHUP.

    $ stocksync serve
    $ stocksync serve --listen 0.0.0.0:9464
    """
    unblock()
    wait_for(app.run_serve(_listening(settings(config, debug=debug, daemon=True), listen), log_as))


def _listening(config: Config, listen: str | None) -> Config:
    """Put another address in place of http.listen.

    Raises:
        typer.BadParameter: it is none.

    """
    if listen is None:
        return config
    try:
        split_listen(listen)
    except ValueError as error:
        raise typer.BadParameter(f"{error} (got {listen})", param_hint="--listen") from error
    return config.model_copy(update={"http": config.http.model_copy(update={"listen": listen})})


@contextmanager
def _temporal_installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "temporalio":
            raise
        raise DriverMissing("fleet: Temporal's SDK is not installed: pip install 'stocksync[temporal]'") from error
