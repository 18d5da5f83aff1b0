"""`check`: what is well, and what to do about the rest."""

import contextlib

import typer

from stocksync import app
from stocksync.cli.format.finding import finding, verdict
from stocksync.cli.program import AsJson, ConfigFile, Debug, settings, wait_for
from stocksync.cli.terminal import out, print_json
from stocksync.config import Config
from stocksync.core.answers import CheckResult
from stocksync.errors import ConfigurationError


def check(config: ConfigFile = None, *, as_json: AsJson = False, debug: Debug = False) -> None:
    """Try each part for real: credential, locations, one page, target table and its rights, state database.

    Writes no stock. Ends with 1 where a part is not well, 2 where the configuration itself is wrong.

    $ stocksync check
    $ stocksync check --config new.toml
    """
    try:
        loaded = settings(config, debug=debug)
    except ConfigurationError as error:
        findings = [CheckResult("configuration", well=False, what=problem) for problem in error.problems]
        _tell(findings, as_json=as_json)
        raise typer.Exit(error.exit_code) from error
    findings = wait_for(_try(loaded, as_json=as_json))
    if as_json:
        print_json(findings)
    else:
        out.print()
        out.print(verdict(findings))
    raise typer.Exit(0 if all(each.well for each in findings) else 1)


async def _try(config: Config, *, as_json: bool) -> list[CheckResult]:
    found: list[CheckResult] = []
    quiet = as_json or not out.is_terminal
    with contextlib.nullcontext() if quiet else out.status("trying each part …"):
        async for each in app.check(config):
            found.append(each)
            if not as_json:
                out.print(finding(each))
    return found


def _tell(findings: list[CheckResult], *, as_json: bool) -> None:
    if as_json:
        print_json(findings)
        return
    for each in findings:
        out.print(finding(each))
    out.print()
    out.print(verdict(findings))
