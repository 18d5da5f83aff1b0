"""Commands for those downstream: changes and levels."""

import sys
from collections.abc import AsyncIterator, Sequence
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
from stocksync.ports import LedgerRow, Level

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
    if as_csv:
        wait_for(_print_csv_lines(found))
        return
    wait_for(_print_lines(found) if as_json else _print_rows(found, follow=follow))


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

    A day alone means its end, by this machine's time zone. Ends with 2 where the ledger does not reach back so far.

    $ stocksync levels --csv > stock.csv
    $ stocksync levels --at 2026-11-01 --csv
    $ stocksync levels --at 2026-11-01T14:30 --account main
    """
    loaded = settings(config, debug=debug)
    found = wait_for(app.levels(loaded, known(loaded, account), _instant(at)))
    if as_csv:
        print_csv(csv_rows.levels(found))
    elif as_json:
        print_json([{"level": level, "location": name} for level, name in found])
    else:
        _print_levels(found)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("write it as 2026-11-01 or 2026-11-01T14:30", param_hint="--at") from error
    if len(text) == _DAY:
        moment = datetime.combine(moment.date() + timedelta(days=1), time())
    return moment.astimezone()


async def _print_lines(rows: AsyncIterator[LedgerRow]) -> None:
    async for row in rows:
        print_raw(encodable(dumps(row).decode("utf-8"), sys.stdout.encoding) + "\n")


async def _print_csv_lines(rows: AsyncIterator[LedgerRow]) -> None:
    print_csv(csv_rows.ledger([]))
    async for row in rows:
        print_csv(csv_rows.Sheet((), [csv_rows.ledger_row(row)]))


async def _print_rows(rows: AsyncIterator[LedgerRow], *, follow: bool) -> None:
    if not follow:
        out.print(product.history([row async for row in rows], out.width))
        return
    async for row in rows:
        where = located(row.change.place, row.location)
        before, now = figure(row.change.before), figure(row.change.after)
        out.print(
            Text.assemble(f"{row.id}  {clock(row.at)}  {clean(row.change.sku)}  ", where, "  ", before, " → ", now)
        )


def _print_levels(found: Sequence[tuple[Level, str]]) -> None:
    made = table("account", "SKU", "location", "quantity", f"written ({zone()})", right=("quantity",))
    for level, name in found:
        since = "before the ledger" if level.since is None else clock(level.since)
        made.add_row(
            Text(level.account), Text(clean(level.sku)), located(level.place, name), figure(level.quantity), Text(since)
        )
    out.print(made)
    note(many(len(found), "figure"))
