"""Commands for those downstream: changes and levels."""

import sys
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Annotated

import typer
from rich.text import Text

from stocksync import app
from stocksync.cli.format import csv_rows, product
from stocksync.cli.format.elements import clean, clock, figure, located, many, table, zone
from stocksync.cli.program import Account, AsCsv, AsJson, ConfigFile, Debug, known, settings, wait_for
from stocksync.cli.stream import as_json as encodable
from stocksync.cli.terminal import note, out, print_csv, print_json, print_raw
from stocksync.core.jsonable import dumps
from stocksync.ports import LedgerRow

_DAY = len("2026-11-01")


def changes(
    config: ConfigFile = None,
    account: Account = None,
    *,
    after: Annotated[int, typer.Option(min=0, metavar="ID", help="Go on behind the change with this id.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", metavar="", help="Wait for further ones.")] = False,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the changes that were written, oldest first, from a cursor on; with --json one object a line.

    Each has an id that grows. Who keeps the id of the last one dealt with, and goes on behind it, sees each change at
    least once, in commit order, as long as state.keep_ledger keeps them. Each account has a cursor of its own.

    $ stocksync changes --follow
    $ stocksync changes --after 4711 --follow --json
    """
    loaded = settings(config, debug=debug)
    found = app.changes(loaded, known(loaded, account), after, follow=follow)
    wait_for(_print_changes(found, follow=follow, as_csv=as_csv, as_json=as_json))


def levels(
    config: ConfigFile = None,
    account: Account = None,
    *,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="An instant, or the end of a day.", show_default=False)
    ] = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show stock as it stands in the target, or as it stood, as far back as the ledger reaches.

    A day alone means its end, by this machine's time zone. Ends with 2 where the ledger does not reach back so far, or
    where no poll of an account has come to its end yet.

    $ stocksync levels --csv > stock.csv
    $ stocksync levels --at 2026-11-01 --csv
    $ stocksync levels --at 2026-11-01T14:30 --account main
    """
    loaded = settings(config, debug=debug)
    moment = None
    if at is not None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise typer.BadParameter("write it as 2026-11-01 or 2026-11-01T14:30", param_hint="--at") from error
        if len(at) == _DAY:
            moment = datetime.combine(moment.date() + timedelta(days=1), time())
        moment = moment.astimezone()
    found = wait_for(app.levels(loaded, known(loaded, account), moment))
    if as_csv:
        print_csv(csv_rows.levels(found))
    elif as_json:
        print_json([{"level": level, "location": name} for level, name in found])
    else:
        made = table("account", "SKU", "location", "quantity", f"written ({zone()})", right=("quantity",))
        for level, name in found:
            since = Text("before the ledger" if level.since is None else clock(level.since))
            where, quantity = located(level.place, name), figure(level.quantity)
            made.add_row(Text(level.account), Text(clean(level.sku)), where, quantity, since)
        out.print(made)
        note(many(len(found), "figure"))


async def _print_changes(rows: AsyncIterator[LedgerRow], *, follow: bool, as_csv: bool, as_json: bool) -> None:
    if not (follow or as_csv or as_json):
        out.print(product.history([row async for row in rows], out.width))
        return
    if as_csv:
        print_csv(csv_rows.ledger([]))
    async for row in rows:
        if as_csv:
            print_csv(csv_rows.Sheet((), [csv_rows.ledger_row(row)]))
        elif as_json:
            print_raw(encodable(dumps(row).decode("utf-8"), sys.stdout.encoding) + "\n")
        else:
            title = f"{row.id}  {clock(row.at)}  {clean(row.change.sku)}  "
            before, now = figure(row.change.before), figure(row.change.after)
            where = located(row.change.place, row.location)
            out.print(Text.assemble(title, where, "  ", before, " → ", now))
