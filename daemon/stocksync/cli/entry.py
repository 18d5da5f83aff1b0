"""The entry point: run a command, and end with one clear line and the right exit code where it fails."""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

import structlog

from stocksync.cli.checking import check
from stocksync.cli.demo import demo
from stocksync.cli.fleet import apply as fleet_apply
from stocksync.cli.fleet import serve, worker
from stocksync.cli.fleet import status as fleet_status
from stocksync.cli.init import init
from stocksync.cli.looking import explain, history, status, stock
from stocksync.cli.planning import approve, drift, plan, reject, retry
from stocksync.cli.program import Command, debugging, fleet, help_of, logs_json, program
from stocksync.cli.reporting import changes, levels
from stocksync.cli.running import healthcheck, migrate, once, run, simulator
from stocksync.cli.stream import finish, prepare
from stocksync.cli.terminal import complain, note
from stocksync.core.health import NEW_KEY
from stocksync.errors import InvariantBroken, StocksyncError, Unauthorized
from stocksync.known_secrets import hidden

log = structlog.get_logger(__name__)

_COMMANDS: Mapping[str, Sequence[Callable[..., None]]] = {
    "Run it": (run, once, healthcheck),
    "Look": (status, stock, explain, history, changes, levels),
    "Plan and decide": (plan, approve, reject, drift, retry),
    "Set up and try": (init, check, migrate, simulator, demo),
    "On many machines": (worker, serve),
}
_FLEET: Mapping[str, Callable[..., None]] = {"apply": fleet_apply, "status": fleet_status}


for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        program.command(cls=Command, rich_help_panel=_panel, help=help_of(_command))(_command)
program.add_typer(fleet, rich_help_panel="On many machines")
for _name, _command in _FLEET.items():
    fleet.command(_name, cls=Command, help=help_of(_command))(_command)


def main() -> None:
    """Run the command line."""
    prepare()
    try:
        program(prog_name="stocksync")
    except Exception as error:  # noqa: BLE001  whatever it is, a person is told what to do instead of shown our code
        sys.exit(end_of(error))
    finally:
        finish()


def end_of(error: Exception) -> int:
    """Tell a person what went wrong, a line per problem, and give the exit code."""
    expected = isinstance(error, StocksyncError)
    code = error.exit_code if isinstance(error, StocksyncError) else 1
    words = str(error) if expected else hidden(f"unexpected {type(error).__name__}: {' '.join(str(error).split())}")
    lines = words.splitlines() or [type(error).__name__]
    if logs_json():
        for line in lines:
            log.critical("failed", error=line, exit_code=code, exc_info=None if expected else error)
        return code
    for line in lines:
        complain(line)
    refused = isinstance(error, Unauthorized) or isinstance(error.__cause__, Unauthorized)
    if refused and NEW_KEY not in words:
        note(f"→ {NEW_KEY}")
    if debugging():
        sys.stderr.write(hidden("".join(traceback.format_exception(error))))
    if not expected or isinstance(error, InvariantBroken):
        again = "" if debugging() else "run it again with --debug and "
        todo = f"please {again}open an issue with the output and `stocksync --version`"
        complain(f"this is a mistake in stocksync: {todo}")
    return code
