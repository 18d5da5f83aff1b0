"""Real databases for every test that wants one: SQLite, PostgreSQL, MariaDB."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from migrating import migrate_now
from servers import MariaDB, NoServer, PgBouncer, PostgreSQL, Server
from temporal_server import Temporal

from stocksync import known_secrets

# How long one example takes says what else the machine does.
settings.register_profile("stocksync", deadline=None)
settings.load_profile("stocksync")
# Whoever starts the tests in the background has them ignore Ctrl-C, and so every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_known_secrets() -> Iterator[None]:
    """Let no test hide what another one's secret was."""
    yield
    known_secrets.forget()


def _serve(kind: Callable[[], Any]) -> Iterator[Any]:
    try:
        server = kind()
    except NoServer as error:
        if os.environ.get("STOCKSYNC_REQUIRE") == "all":
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.close()


def _fresh(server: Server) -> Iterator[str]:
    server.start()
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """Give one PostgreSQL for the whole session; a test that stops or freezes it lets it run again."""
    yield from _serve(PostgreSQL)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """Give one MariaDB for the whole session; a test that stops or freezes it lets it run again."""
    yield from _serve(MariaDB)


@pytest.fixture(scope="session")
def pgbouncer_server(postgresql_server: Server) -> Iterator[Server]:
    """Give a pooler in transaction mode before the session's PostgreSQL: two sessions for each database."""
    assert isinstance(postgresql_server, PostgreSQL)
    yield from _serve(lambda: PgBouncer(postgresql_server))


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[Temporal]:
    """Give one Temporal for the whole session: the development server of its own wheel."""
    yield from _serve(Temporal)


@pytest.fixture
def mortal_temporal() -> Iterator[Temporal]:
    """Give one Temporal for a single test, which may stop it."""
    yield from _serve(Temporal)


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """Undo afterwards what configuring the log does."""
    root, before = logging.getLogger(), dict(structlog.get_config())
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raising
    for name in ("aiohttp", "apscheduler", "sqlalchemy", "alembic", "asyncio", "aiosqlite", "stamina"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.configure(**before)


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """Give the plain URL of a fresh, empty database."""
    yield from _fresh(postgresql_server)


@pytest.fixture
def mariadb_url(mariadb_server: Server) -> Iterator[str]:
    """Give the plain URL of a fresh, empty database."""
    yield from _fresh(mariadb_server)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the plain URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'fresh.db'}"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty state in a file, to be copied: to migrate one takes a fifth of a second."""
    file = tmp_path_factory.mktemp("migrated") / "state.db"
    migrate_now(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the plain URL of a fresh, empty database on each of the three."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
