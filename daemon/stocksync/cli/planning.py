"""Commands that plan and decide: plan, approve, reject, drift."""

import getpass
import socket
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from stocksync import app
from stocksync.cli import completion
from stocksync.cli.format import account as rendered
from stocksync.cli.format import csv_rows, cycle
from stocksync.cli.format import held_plan as rendered_plan
from stocksync.cli.format.elements import many
from stocksync.cli.program import (
    Account,
    AsCsv,
    AsJson,
    ConfigFile,
    Debug,
    known,
    settings,
    wait_for,
)
from stocksync.cli.terminal import err, out, print_csv, print_json, progress
from stocksync.config import Config
from stocksync.core.answers import Preview
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan, plan_for
from stocksync.core.report import Outcome

_ROWS = 30

PlanId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="As `stocksync plan` and `stocksync status` show it, or its beginning.",
        show_default=False,
        autocompletion=completion.plans,
    ),
]
OfGuard = Annotated[
    Guard | None,
    typer.Option("--guard", "-g", metavar="GUARD", help="Only what this guard decides on.", show_default=False),
]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides, for the record.", show_default="you")]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask: for scripts.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, metavar="ROWS", help="Rows to show of each list.")]


def plan(
    config: ConfigFile = None,
    account: Account = None,
    *,
    limit: Limit = _ROWS,
    dry: Annotated[bool, typer.Option("--dry", metavar="", help="Keep nothing: what is held gets no id.")] = False,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Read Qoyod and show what would be written and what would be held; write nothing to the target.

    What would be held is kept under the id that is shown, for `stocksync approve`. Ends with 3 where something is held
    or would be, with 1 where more figures are refused than guards.quarantined allows.

    $ stocksync plan
    $ stocksync plan --account main --limit 500
    """
    loaded = settings(config, debug=debug)
    name = known(loaded, account)
    with progress() as report:
        previews = wait_for(app.plan(loaded, name, report, store=not dry))
    show_previews(previews, as_json=as_json, as_csv=as_csv, limit=limit)


def show_previews(previews: Sequence[Preview], *, as_json: bool, as_csv: bool = False, limit: int = _ROWS) -> None:
    """Print previews, and end with what they mean."""
    if as_csv:
        print_csv(csv_rows.previews(previews))
    elif as_json:
        print_json(previews)
    for index, preview in enumerate([] if as_json or as_csv else previews):
        if index:
            out.print()
        out.print(cycle.preview(preview, limit))
    reports = [preview.report for preview in previews]
    if any(one.unwell or one.outcome not in {Outcome.DONE, Outcome.HELD, Outcome.EMPTY} for one in reports):
        raise typer.Exit(1)
    raise typer.Exit(3 if any(preview.waits for preview in previews) else 0)


def approve(
    plan_id: PlanId = "",
    config: ConfigFile = None,
    account: Account = None,
    guard: OfGuard = None,
    *,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Release a held plan: the next cycle writes exactly the figures that are shown here.

    What destroys is released only while nothing new has joined it; the rest change by change. Asks on a terminal.

    $ stocksync approve 3f9c2a81
    $ stocksync approve 3f9c --by "Huda, warehouse" --yes
    $ stocksync approve --account main --guard zeroed
    """
    loaded = settings(config, debug=debug)
    shown = _meant(loaded, plan_id, known(loaded, account), guard)
    _decide(loaded, shown, guard, Decision.APPROVED, by=by, yes=yes, as_json=as_json)


def reject(
    plan_id: PlanId = "",
    config: ConfigFile = None,
    account: Account = None,
    guard: OfGuard = None,
    *,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Drop a held plan: its figures stay unwritten, and nobody is asked again, until their facts change.

    $ stocksync reject 3f9c2a81 --by "Huda, warehouse"
    """
    loaded = settings(config, debug=debug)
    shown = _meant(loaded, plan_id, known(loaded, account), guard)
    _decide(loaded, shown, guard, Decision.REJECTED, by=by, yes=yes, as_json=as_json)


def _meant(config: Config, plan_id: str, account: str | None, guard: Guard | None) -> HeldPlan:
    if not (plan_id or account or guard):
        raise typer.BadParameter("give a plan's id, or --account, or --guard", param_hint="ID")
    return plan_for(wait_for(app.held(config, None)), plan_id, account, guard)


def _decide(
    config: Config, shown: HeldPlan, guard: Guard | None, decision: Decision, *, by: str, yes: bool, as_json: bool
) -> None:
    asks = not yes and out.is_terminal and sys.stdin.isatty()
    if asks or not as_json:
        (err if as_json else out).print(rendered_plan.summary(shown))
    if asks:
        typer.confirm(f"{'Approve' if decision is Decision.APPROVED else 'Reject'} this?", abort=True, err=True)
    if not by:
        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # a container's user id may have no name
            user = "somebody"
        by = f"{user}@{socket.gethostname()}"
    decided = wait_for(app.decide(config, shown, decision, by, guard))
    if as_json:
        print_json(rendered_plan.decided_record(decided))
    else:
        out.print(rendered_plan.decided(decided))


def drift(
    config: ConfigFile = None,
    account: Account = None,
    *,
    heal: Annotated[
        bool, typer.Option("--heal", metavar="", help="Put back what was edited, through the guards.")
    ] = False,
    limit: Limit = 20,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare the live target with what was written, cell by cell, and name each cause; `status` remembers it.

    Ends with 1 where others changed the target and it was not put back, with 3 where a guard holds what would be.

    $ stocksync drift
    $ stocksync drift --account main --heal
    """
    loaded = settings(config, debug=debug)
    reports = wait_for(app.drift(loaded, known(loaded, account), heal))
    if as_csv:
        print_csv(csv_rows.audits(reports))
    elif as_json:
        print_json(reports)
    for report in [] if as_json or as_csv else reports:
        out.print(rendered.audit(report, limit))
    if any(report.error for report in reports):
        raise typer.Exit(1)
    if any(report.held for report in reports):
        raise typer.Exit(3)
    raise typer.Exit(1 if any(report.unmended for report in reports) else 0)


def retry(
    sku: Annotated[
        str | None,
        typer.Argument(metavar="[SKU]", help="Only this product; else all rows.", autocompletion=completion.skus),
    ] = None,
    config: ConfigFile = None,
    account: Account = None,
    *,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Let the next poll try again what is set aside, as its cause is mended: by itself it waits up to 6 hours.

    Ends with 4 where nothing of the product is set aside, or nobody knows it.

    $ stocksync retry
    $ stocksync retry BW-001
    """
    loaded = settings(config, debug=debug)
    rows = wait_for(app.retry(loaded, known(loaded, account), sku))
    if as_json:
        print_json(rows)
    for name, number in {} if as_json else rows.items():
        out.print(f"{name}: the next poll tries {many(number, 'row')} again")
