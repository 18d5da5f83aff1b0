"""The program, its common options, and how a command gets its configuration and its loop."""

import asyncio
import inspect
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from stocksync import __version__
from stocksync.cli import completion
from stocksync.cli.terminal import note, out
from stocksync.config import Config, load
from stocksync.observe.logs import Format, configure, speaks_json

T = TypeVar("T")


class _Valueless:
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401  Click's context and options
        """Give the options; a flag takes no value, though Typer shows its own as `--help <bool>`."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for each in params:
            if getattr(each, "is_flag", False):
                each.metavar = ""
        return params


class Command(_Valueless, TyperCommand):
    """A command."""


class _Commands(_Valueless, TyperGroup):
    """All commands."""


program = typer.Typer(
    name="stocksync",
    cls=_Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

fleet = typer.Typer(
    name="fleet",
    cls=_Commands,
    no_args_is_help=True,
    help="Temporal's schedules: make them equal to the configuration, and look.",
)


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration; else ./config.toml, else /etc/stocksync/config.toml.",
        show_default=False,
    ),
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        metavar="NAME",
        help="Only this account; else all of them.",
        show_default=False,
        autocompletion=completion.accounts,
    ),
]
AsCsv = Annotated[bool, typer.Option("--csv", metavar="", help="Print CSV instead of tables, for spreadsheets.")]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON instead of tables, for scripts.")]
Debug = Annotated[bool, typer.Option("--debug", metavar="", help="Log everything, and show where an error came from.")]


class _Flags:
    asked = False
    """--debug was given."""
    debug = False
    json_log = False


def debugging() -> bool:
    """Whether a person asked for tracebacks."""
    return _Flags.debug


def logs_json() -> bool:
    """Whether this is the daemon and its log is read by machines, the last line too."""
    return _Flags.json_log


def help_of(command: Callable[..., None]) -> str:
    """Give a command's docstring with each paragraph as one line, for any width; examples keep their lines."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(text if text.startswith("$") else " ".join(text.split()) for text in paragraphs)


def stocksync(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", metavar="", help="Print the version and end.")] = False,  # noqa: FBT002
) -> None:
    """Keep the stock of a shop, warehouse or order desk equal to Qoyod's.

    New here? [bold]stocksync demo[/bold] shows it at work without touching anything;
    [bold]stocksync check[/bold] tries your configuration part by part; [bold]stocksync plan[/bold] shows what would be
    written; [bold]stocksync run[/bold] is the daemon.

    Exit codes: 0 well, 1 the work failed, 2 configuration or usage, 3 something is held, 4 not found.
    """
    if version:
        out.print(f"stocksync {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


program.callback(invoke_without_command=True, help=help_of(stocksync))(stocksync)


def settings(file: Path | None, *, debug: bool, daemon: bool = False) -> Config:
    """Load the configuration and begin to log: all of it for the daemon, nothing for a command, whose result says it.

    Raises:
        ConfigurationError: with every problem there is.

    """
    _Flags.asked = _Flags.debug = debug
    if daemon:
        _log("auto", "info")  # for what is wrong with the configuration itself
    config = load(file, os.environ)
    if daemon:
        log_as(config)
        return config
    _Flags.debug = debug or config.log.level == "debug"
    configure(config.log.format, "debug" if _Flags.debug else "critical")
    return config


def log_as(config: Config) -> None:
    """Log as the configuration says; with --debug everything."""
    _Flags.debug = _Flags.asked or config.log.level == "debug"
    _log(config.log.format, "debug" if _Flags.debug else config.log.level)


def log_for_a_person(*, debug: bool) -> None:
    """Log everything where a person asked for it, else nothing: for a command that has no configuration yet."""
    _Flags.debug = debug
    configure("auto", "debug" if debug else "critical")


def _log(form: Format, level: str) -> None:
    configure(form, level)
    _Flags.json_log = speaks_json(form)


def known(config: Config, account: str | None) -> str | None:
    """Check that an account of this name is configured.

    Raises:
        typer.BadParameter: there is none; the message lists those there are.

    """
    if account is not None and config.account(account) is None:
        names = ", ".join(each.name for each in config.accounts)
        raise typer.BadParameter(f"no account is named {account!r}; there are: {names}", param_hint="--account")
    return account


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, or to Ctrl-C."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        note("stopped; nothing is half-written")
        raise
