"""What a shell completes: names of accounts, SKUs, ids of held plans.

A person waits for it with a finger on a key: only files are read, a SQLite state among them, and no database is asked
over a network. Whatever goes wrong completes nothing, in silence.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import typer

from stocksync.config import account_names, state_of
from stocksync.errors import ConfigurationError

_MOST = 100
_WAIT_SECONDS = 0.2
_PLAIN = re.compile(r"[\w@%+=.,/-]+")
"""Words that mean nothing to a shell: completed text is run as it stands, and a SKU is whatever somebody typed."""
_SKUS = "SELECT DISTINCT sku FROM stocksync_products WHERE gone_at IS NULL AND substr(sku, 1, ?) = ? {} ORDER BY sku"
_PLANS = "SELECT plan_id, account || ', ' || cause FROM stocksync_waiting_plans WHERE substr(plan_id, 1, ?) = ? {}"


def accounts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete an account's name."""
    with suppress(ConfigurationError, OSError):
        names = account_names(ctx.params.get("config"), os.environ)
        return [name for name in names if name.startswith(incomplete)]
    return []


def skus(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a SKU that is in the catalogue."""
    return [sku for (sku,) in _rows(ctx, _SKUS, incomplete) if _PLAIN.fullmatch(sku)]


def plans(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete the id of a held plan; shells that can show whose it is and why."""
    return list(_rows(ctx, _PLANS, incomplete))


def _rows(ctx: typer.Context, query: str, beginning: str) -> Iterator[Any]:
    account = ctx.params.get("account")
    narrowed = query.format("AND account = ?" if account else "")
    values = (len(beginning), beginning, *([account] if account else []))
    with suppress(ConfigurationError, OSError, sqlite3.Error):
        url = state_of(ctx.params.get("config"), os.environ).dsn()
        file = url.removeprefix("sqlite:///").partition("?")[0]
        if file and file != url:  # else it is a database on a server
            uri = f"{Path(file).absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS)) as connection:
                yield from connection.execute(f"{narrowed} LIMIT {_MOST}", values).fetchall()
