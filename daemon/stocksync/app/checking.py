"""`check`: a rehearsal of what a cycle will do, every part tried for real, one result after the other."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from stocksync.app.check_account import AccountCheck, database_words, opening, plain
from stocksync.app.check_fleet import fleet_results
from stocksync.app.check_limits import TimeLimits
from stocksync.app.check_machine import http_result, notify_results, secret_results
from stocksync.app.wiring import accounts_of
from stocksync.config import Config
from stocksync.core.answers import CheckResult, CheckState
from stocksync.errors import SchemaBehind, SchemaNewer, StocksyncError
from stocksync.state.database import Database, open_state
from stocksync.state.rehearsal import rehearse


async def check(config: Config, account: str | None = None, seconds: float = 60.0) -> AsyncGenerator[CheckResult, None]:
    """Try configuration, state, address, and each account's credential, locations, list and target; write nothing.

    `seconds` is for all of it: what is not tried by then has failed.
    """
    limits = TimeLimits(seconds, asyncio.get_running_loop().time() + seconds)
    chosen = accounts_of(config, account)
    count = f"{len(config.accounts)} account{'' if len(config.accounts) == 1 else 's'}"
    origin = "from the environment alone" if config.file is None else str(config.file.absolute())
    yield CheckResult("configuration", CheckState.WELL, f"{origin}; {count}, no problem")
    for file in config.refused:
        yield CheckResult("configuration", CheckState.FAILED, "; ".join(file.problems), "mend it; the others work")
    for result in secret_results(config):
        yield result
    async with AsyncExitStack() as stack:
        opened: list[Database] = []

        async def state() -> list[CheckResult]:
            opened.append(await open_state(config.state.dsn(), config.state.keep_ledger))
            stack.push_async_callback(opened[0].close)
            await rehearse(opened[0].engine)
            return [CheckResult("state", CheckState.WELL, f"{opening(config.state).describe()}; schema at head")]

        async def http() -> list[CheckResult]:
            return [await http_result(config)]

        async for result in limits.run("state", state, lambda error: _state_words(config, error)):
            yield result
        trials = {"http": http, "notify": lambda: notify_results(config), "fleet": lambda: fleet_results(config)}
        for part, trial in trials.items():
            async for result in limits.run(part, trial, plain):
                yield result
        for one in chosen:
            async for result in AccountCheck(config, one, limits, opened[0] if opened else None).results():
                yield result


def _state_words(config: Config, error: StocksyncError) -> tuple[str, str]:
    if isinstance(error, SchemaNewer):
        return str(error), ""
    if isinstance(error, SchemaBehind):
        return str(error).partition("; type: ")[0], "stocksync migrate"
    return database_words(config.state, error)
