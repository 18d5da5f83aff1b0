"""Bringing the state database's tables to what this version needs, and telling when they are not."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine

import stocksync
from stocksync.dsn.sqlite_file import file_of, obstacle
from stocksync.errors import ConfigurationError, SchemaNewer
from stocksync.sqlengine import open_engine, reading, writing
from stocksync.state.private import make_private
from stocksync.state.schema import HEAD, VERSION_TABLE
from stocksync.state.session import translated

if TYPE_CHECKING:
    from alembic.config import Config

_ALONE = {
    "postgresql": "SELECT pg_advisory_xact_lock(hashtext('stocksync_schema'))",
    "mysql": "SELECT get_lock('stocksync_schema', 60)",
    "mariadb": "SELECT get_lock('stocksync_schema', 60)",
}
_HOW = "type: stocksync migrate"


async def migrate(url: str) -> None:
    """Bring a state database to head.

    Raises:
        StateUnavailable: it cannot be reached.
        SchemaNewer: a newer version made it.
        ConfigurationError: the URL is unusable, or its file may not be written.

    """
    engine = open_engine(url, "state.url", wal=True)
    try:
        await problem_of_engine(engine)
        await migrate_engine(engine)
    finally:
        await engine.dispose()


async def schema_problem(url: str) -> str | None:
    """Say what is wrong with a state database's tables and what to type; None where nothing is.

    Raises:
        StateUnavailable: it cannot be reached.
        SchemaNewer: a newer version made it.
        ConfigurationError: the URL is unusable, or its file may not be written.

    """
    engine = open_engine(url, "state.url", wal=True)
    try:
        return await problem_of_engine(engine)
    finally:
        await engine.dispose()


async def migrate_engine(engine: AsyncEngine) -> None:
    """As `migrate`, through an open engine."""
    _check_place(engine.url)
    make_private(engine.url)
    with translated():
        async with writing(engine) as connection:
            await connection.run_sync(_upgrade)


async def problem_of_engine(engine: AsyncEngine) -> str | None:
    """As `schema_problem`, through an open engine."""
    _check_place(engine.url)
    make_private(engine.url)
    with translated():
        async with reading(engine) as connection:
            current = await connection.run_sync(_revision)
    if current == HEAD:
        return None
    if current is None:
        return f"the state database has no tables of stocksync yet; {_HOW}"
    from alembic.script import ScriptDirectory  # noqa: PLC0415  a daemon whose state is at head starts without it

    if current not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise SchemaNewer(
            f"the state database was made by a newer stocksync (schema {current}):"
            " install that version, or name another database in state.url"
        )
    return f"the state database is behind: it has schema {current}, needed is {HEAD}; {_HOW}"


def _check_place(url: URL) -> None:
    file = file_of(url)
    if file is not None and (words := obstacle(file)):
        raise ConfigurationError(f"state.url: {words}")


def _upgrade(connection: Connection) -> None:
    # Two may migrate at once. SQLite's transaction is alone anyway; MariaDB's lock ends with the connection.
    if connection.dialect.name in _ALONE:
        connection.execute(text(_ALONE[connection.dialect.name]))
    from alembic import command  # noqa: PLC0415  as above

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  our own name
    return revision


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  as above

    package = Path(stocksync.__file__).resolve().parent
    shipped = package / "migrations"
    scripts = shipped if shipped.is_dir() else package.parents[1] / "migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
