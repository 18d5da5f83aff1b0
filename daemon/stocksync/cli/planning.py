"""Commands that plan and decide: plan, approve, reject, drift."""

import getpass
import socket
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from stocksync import app
from stocksync.cli.format import account as rendered
from stocksync.cli.format import cycle
from stocksync.cli.format.words import cells
from stocksync.cli.program import (
    Account,
    AsJson,
    ConfigFile,
    Debug,
    known,
    settings,
    wait_for,
)
from stocksync.cli.terminal import out, print_json, progress
from stocksync.core.answers import Preview
from stocksync.core.guards import HeldPlan
from stocksync.core.report import Outcome

_ROWS = 30

PlanId = Annotated[str, typer.Argument(metavar="ID", help="As `stocksync plan` and `stocksync status` show it.")]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides, for the record.", show_default="you")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, metavar="ROWS", help="Rows to show of each list.")]


def plan(
    config: ConfigFile = None,
    account: Account = None,
    *,
    limit: Limit = _ROWS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Read Qoyod and show what would be written and what would be held; write nothing.

    Ends with 3 where something is held or would be, with 1 where more figures are refused than guards.quarantined
    allows.

    $ stocksync plan
    $ stocksync plan --account main --limit 500
    """
    loaded = settings(config, debug=debug)
    name = known(loaded, account)
    with progress() as report:
        previews = wait_for(app.plan(loaded, name, report))
    show_previews(previews, as_json=as_json, limit=limit)


def show_previews(previews: Sequence[Preview], *, as_json: bool, limit: int = _ROWS) -> None:
    """Print previews, and end with what they mean."""
    if as_json:
        print_json(previews)
    for index, preview in enumerate([] if as_json else previews):
        if index:
            out.print()
        out.print(cycle.preview(preview, limit))
    reports = [preview.report for preview in previews]
    if any(one.unwell or one.outcome not in {Outcome.DONE, Outcome.HELD, Outcome.EMPTY} for one in reports):
        raise typer.Exit(1)
    raise typer.Exit(3 if any(preview.held is not None for preview in previews) else 0)


def approve(
    plan_id: PlanId, config: ConfigFile = None, *, by: By = "", as_json: AsJson = False, debug: Debug = False
) -> None:
    """Release a held plan: the next cycle applies it, if it still is the plan you saw.

    $ stocksync approve 3f9c2a81
    """
    loaded = settings(config, debug=debug)
    _decided(wait_for(app.decide(loaded, plan_id, approved=True, by=by or _who())), as_json=as_json)


def reject(
    plan_id: PlanId, config: ConfigFile = None, *, by: By = "", as_json: AsJson = False, debug: Debug = False
) -> None:
    """Drop a held plan: its changes stay unwritten until the facts change.

    $ stocksync reject 3f9c2a81 --by "Huda, warehouse"
    """
    loaded = settings(config, debug=debug)
    _decided(wait_for(app.decide(loaded, plan_id, approved=False, by=by or _who())), as_json=as_json)


def drift(
    config: ConfigFile = None,
    account: Account = None,
    *,
    heal: Annotated[
        bool, typer.Option("--heal", metavar="", help="Put back what was edited, through the guards.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare the live target with what was written, cell by cell, and name each cause.

    $ stocksync drift
    $ stocksync drift --account main --heal
    """
    loaded = settings(config, debug=debug)
    reports = wait_for(app.drift(loaded, known(loaded, account), heal))
    if as_json:
        print_json(reports)
    for report in [] if as_json else reports:
        out.print(rendered.audit(report))
    raise typer.Exit(1 if any(report.error for report in reports) else 0)


def _decided(plan: HeldPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    words = f"{plan.decision}: {cells(len(plan.changes))} of {plan.account}, by {plan.decided_by}"
    out.print(Text.assemble(("✓ ", "green"), words, ("; the next cycle follows", "dim")))


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user id may have no name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
