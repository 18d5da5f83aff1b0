"""Commands that look: status, stock, explain, history."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from stocksync import app
from stocksync.cli import completion
from stocksync.cli.format import account as rendered
from stocksync.cli.format import csv_rows, held_plan, product
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
from stocksync.cli.terminal import note, out, print_csv, print_json
from stocksync.core.held_plan import HeldPlan
from stocksync.ports import LedgerRow

_LEDGER_ROWS = 10

Sku = Annotated[str, typer.Argument(metavar="SKU", help="Exactly as Qoyod has it.", autocompletion=completion.skus)]


def status(
    config: ConfigFile = None,
    account: Account = None,
    *,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show how fresh each account is, its last cycles, and what waits for a person.

    Ends with 1 where an account is not well. All of it comes from the state database, so it also works from afar.

    $ stocksync status
    $ stocksync status --account main
    $ stocksync status --json | jq '.[].health'
    """
    loaded = settings(config, debug=debug)
    now = datetime.now(UTC) if as_json else datetime.now().astimezone()
    values = wait_for(app.status(loaded, known(loaded, account), now))
    if as_csv:
        print_csv(csv_rows.statuses(values))
    elif as_json:
        print_json([{"status": one, "health": health} for one, health in values])
    else:
        out.print(rendered.status(values, now))
    raise typer.Exit(0 if all(health.well for _, health in values) else 1)


def stock(
    skus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SKU...", help="Exactly as Qoyod has it.", show_default=False, autocompletion=completion.skus
        ),
    ] = None,
    config: ConfigFile = None,
    account: Account = None,
    *,
    product_id: Annotated[int | None, typer.Option("--id", metavar="N", min=1, help="Qoyod's product id.")] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask Qoyod for products now, push what changed, and show their figures beside those in the target.

    A changed figure goes through the same guards as in a poll. Where Qoyod is away, the remembered figures answer and
    say when they were confirmed. Several SKUs, such as the lines of an order, are asked for in one request where Qoyod
    allows it. Ends with 4 where Qoyod does not know a product.

    $ stocksync stock BW-001
    $ stocksync stock BW-001 BW-002 BW-003
    $ stocksync stock --id 42 --json
    """
    if bool(skus) == (product_id is not None):
        raise typer.BadParameter("give SKUs, or --id N for Qoyod's product id", param_hint="SKU")
    loaded = settings(config, debug=debug)
    chosen, missing, code = known(loaded, account), list[str](), 0
    if skus and len(skus) > 1:
        found = wait_for(app.stock_of_many(loaded, chosen, skus))
        answers = [answer for one in found for answer in one.stock]
        answered = {answer.sku for answer in answers}
        silent = {sku: why for one in found for sku, why in one.unanswered.items() if sku not in answered}
        unknown = [sku for sku in dict.fromkeys(skus) if sku not in answered and sku not in silent]
        missing = [f"{sku}: {why}" for sku, why in silent.items()]
        if unknown:
            missing.append(f"Qoyod knows no product with the SKU {', '.join(map(repr, unknown))}")
        # 4 is not found, and 1 that nobody could say.
        code = 1 if silent else 4 if unknown else 0
    else:
        answers = wait_for(app.stock(loaded, chosen, skus[0] if skus else None, product_id))
    if as_csv:
        print_csv(csv_rows.stock(answers))
    elif as_json:
        print_json(answers)
    for answer in [] if as_json or as_csv else answers:
        out.print(product.stock(answer, datetime.now(UTC)))
    for sentence in missing:
        note(sentence)
    if code:
        raise typer.Exit(code)


def explain(
    sku: Sku,
    config: ConfigFile = None,
    account: Account = None,
    *,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show how each number of a product came about, step by step, with the changes behind it.

    $ stocksync explain BW-001
    """
    loaded = settings(config, debug=debug)
    name = known(loaded, account)
    values = wait_for(app.explain(loaded, name, sku))
    if as_csv:
        print_csv(csv_rows.explained(values))
        return
    rows = wait_for(app.history(loaded, name, sku, _LEDGER_ROWS))
    decisions = wait_for(app.decisions(loaded, name, sku))
    if as_json:
        print_json({"explanations": values, "history": rows, "decisions": decisions})
        return
    for value in values:
        out.print(product.explanation(value, datetime.now(UTC)))
        out.print()
    _print_history(rows, sku)
    _print_decisions(decisions)


def history(
    sku: Sku,
    config: ConfigFile = None,
    account: Account = None,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="ROWS", help="The newest so many.")] = 50,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the changes that were applied to a product, and what people decided about it, newest first.

    $ stocksync history BW-001 --limit 5
    """
    loaded = settings(config, debug=debug)
    name = known(loaded, account)
    rows = wait_for(app.history(loaded, name, sku, limit))
    decisions = wait_for(app.decisions(loaded, name, sku))
    if as_json or as_csv:
        # Beside the changes that were applied, a row for each that a person decided on.
        decided = [
            LedgerRow(
                plan.decided_at or plan.created_at, "", 0, held.change, location=held.location,
                decision=plan.decision.value, decided_by=plan.decided_by, plan_id=plan.plan_id,
            )
            for plan in decisions
            for held in plan.changes
        ]  # fmt: skip
        every = sorted([*rows, *decided], key=lambda row: row.at, reverse=True)[:limit]
        print_csv(csv_rows.ledger(every)) if as_csv else print_json(every)
        return
    _print_history(rows, sku)
    _print_decisions(decisions)


def _print_history(rows: list[LedgerRow], sku: str) -> None:
    if rows:
        out.print(product.history(rows, out.width))
    else:
        out.print(f"no change of {sku} has been written yet")


def _print_decisions(decisions: list[HeldPlan]) -> None:
    if decisions:
        out.print()
        out.print(held_plan.decisions(decisions))
