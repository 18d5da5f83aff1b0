"""Runs stocksync's commands in processes that kill themselves at a named commit point.

`python crashing.py` imports stocksync once, and forks a process for each line of JSON on standard input:
`{"argv": […], "environ": {…}, "folder": "…", "point": "write", "when": "before", "nth": 2}`; without `point` the
command runs as it is. With `"blind": true` it records no intents. It answers each with the exit code; minus 9 is a
process that was killed.
"""

import functools
import importlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

_PATIENCE = 100
"""Seconds after which the system ends a command that does not."""
STATE_POINTS = ("claim", "begin", "observe", "hold", "intend", "acknowledge", "end", "release")
"""Commits to the state; `write` is the one to a target of its own, `transaction` the one to both in one database."""

_current: ContextVar[str] = ContextVar("_current", default="")


class Bomb:
    """Kills this process, as the machine's power switch would, the nth time the point is reached."""

    def __init__(self, point: str, when: str, nth: int) -> None:
        self._at, self._left = (point, when), nth

    def strike(self, point: str, when: str) -> None:
        self._left -= (point, when) == self._at
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def plant(bomb: Bomb) -> None:
    """Put the bomb at every commit: `before` is with all statements executed, `after` is at once when it returns."""
    from stocksync.sqlengine import commits_each  # noqa: PLC0415
    from stocksync.state.database import Database  # noqa: PLC0415  a test imports the names of the points alone
    from stocksync.state.session import Session  # noqa: PLC0415
    from stocksync.targets.mapped import MappedTarget  # noqa: PLC0415

    for point in STATE_POINTS:
        setattr(Database, point, _named(point, getattr(Database, point), bomb))
    write = Session.write

    async def doomed_write(session: Session, work: Callable[..., Awaitable[Any]]) -> Any:
        async def doomed(connection: Any) -> Any:
            result = await work(connection)
            bomb.strike(_current.get(), "before")
            return result

        return await write(session, doomed)

    write_one = Session.write_one

    async def doomed_write_one(session: Session, work: Callable[..., Awaitable[Any]]) -> Any:
        async def doomed(connection: Any) -> Any:
            if commits_each(connection):  # nothing lies between the statement and its commit
                bomb.strike(_current.get(), "before")
            return await work(connection)

        return await write_one(session, doomed)

    Session.write = doomed_write  # type: ignore[method-assign]
    Session.write_one = doomed_write_one  # type: ignore[method-assign]
    MappedTarget._apply = _within(MappedTarget._apply, bomb)  # type: ignore[method-assign]
    MappedTarget.write = _named("write", MappedTarget.write, bomb)  # type: ignore[method-assign]
    Database.transaction = _around(Database.transaction, bomb)  # type: ignore[method-assign]


def _named(point: str, method: Callable[..., Awaitable[Any]], bomb: Bomb) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def doomed(*args: Any, **kwargs: Any) -> Any:
        token = _current.set(point)
        try:
            result = await method(*args, **kwargs)
        finally:
            _current.reset(token)
        bomb.strike(point, "after")
        return result

    return doomed


def _within(apply: Callable[..., Awaitable[Any]], bomb: Bomb) -> Callable[..., Awaitable[Any]]:
    async def doomed(*args: Any, **kwargs: Any) -> Any:
        result = await apply(*args, **kwargs)
        bomb.strike("write", "before")
        return result

    return doomed


def _around(
    transaction: Callable[..., AbstractAsyncContextManager[Any]], bomb: Bomb
) -> Callable[..., AbstractAsyncContextManager[Any]]:
    @asynccontextmanager
    async def doomed(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async with transaction(*args, **kwargs) as joined:
            yield joined
            bomb.strike("transaction", "before")
        bomb.strike("transaction", "after")

    return doomed


async def _nothing(*_args: Any, **_named: Any) -> None:
    """What recording intents is to a process that is blind."""


def _run(order: dict[str, Any]) -> int:
    """Be the command; the exit code is what `stocksync` ends with."""
    from stocksync.app import wiring  # noqa: PLC0415
    from stocksync.cli import main, terminal  # noqa: PLC0415
    from stocksync.qoyod.budget import Budget  # noqa: PLC0415
    from stocksync.state import ledger  # noqa: PLC0415

    os.chdir(order["folder"])
    os.environ |= order["environ"]
    for number, name in enumerate(("/dev/null", "out", "err")):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, number)
    for console in (terminal.out, terminal.err):  # each is as wide as when it was made
        console.width = int(os.environ["COLUMNS"])
    signal.alarm(_PATIENCE)
    if order.get("user"):
        os.setuid(order["user"])
    wiring.Budget = lambda _rpm, *rest: Budget(60_000, *rest)  # type: ignore[assignment,misc]
    if order.get("point"):
        plant(Bomb(order["point"], order["when"], order["nth"]))
    if order.get("blind"):
        ledger.intend = _nothing
    sys.argv = ["stocksync", *order["argv"]]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        code = 70
        try:
            code = _run(order)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def serve() -> None:
    """Fork a process per order until the input ends."""
    importlib.import_module("stocksync.cli")
    for module in ("sqlalchemy.dialects.mysql.asyncmy", "sqlalchemy.dialects.postgresql.asyncpg", "alembic.command"):
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(module)
    while line := sys.stdin.readline():
        print(_fork(json.loads(line)), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.path.pop(0)  # the commands must not find the tests' modules
    serve()
