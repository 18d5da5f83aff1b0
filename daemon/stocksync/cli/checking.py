"""`check`: what is well, what may hurt, and what to do about the rest."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from stocksync import app
from stocksync.cli.format.finding import finding, verdict
from stocksync.cli.program import Account, AsJson, ConfigFile, Debug, known, settings, wait_for
from stocksync.cli.terminal import out, print_json
from stocksync.config import Config, find
from stocksync.core.answers import CheckResult, CheckState
from stocksync.errors import ConfigurationError

Timeout = Annotated[
    float, typer.Option("--timeout", min=1, metavar="SECONDS", help="For all of it; each try has 10 s.")
]


def check(
    config: ConfigFile = None,
    account: Account = None,
    *,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Rehearse a cycle: credential, locations, one page, and a look-up, an update and an insert that are rolled back.

    Writes no stock. ✓ is well, ! works and may hurt, ✗ would fail: then it ends with 1. Ends with 2 where the
    configuration itself is wrong.

    $ stocksync check
    $ stocksync check --config new.toml
    $ stocksync check --account main --timeout 20
    """
    try:
        loaded = settings(config, debug=debug)
    except ConfigurationError as error:
        results = [CheckResult("configuration", CheckState.FAILED, problem) for problem in error.problems]
        # Name the file that is to be corrected, where there is one.
        with contextlib.suppress(ConfigurationError, OSError):
            if (file := find(config, os.environ)) is not None and file.exists():
                results[-1] = replace(results[-1], todo=f"correct {file.absolute()}")
        for each in [] if as_json else results:
            out.print(finding(each), crop=False)
        _conclude(results, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    name = known(loaded, account)
    results = wait_for(try_parts(loaded, name, timeout, as_json=as_json))
    _conclude(results, as_json=as_json)
    raise typer.Exit(0 if all(each.well for each in results) else 1)


async def try_parts(
    config: Config, account: str | None = None, seconds: float = 60.0, *, as_json: bool = False
) -> list[CheckResult]:
    """Try each part, printing what is found as it comes; with `as_json` only give it."""
    found: list[CheckResult] = []
    quiet = as_json or not out.is_terminal
    async with contextlib.aclosing(app.check(config, account, seconds)) as results:
        with contextlib.nullcontext() if quiet else out.status("trying each part …"):
            async for each in results:
                found.append(each)
                if not as_json:
                    out.print(finding(each), crop=False)
    return found


def _conclude(results: Sequence[CheckResult], *, as_json: bool) -> None:
    if as_json:
        keys = ("part", "state", "well", "what", "todo")
        print_json([{key: getattr(each, key) for key in keys} for each in results])
    else:
        out.print()
        out.print(verdict(results))
