"""What no waiting mends, found before a daemon begins to wait."""

from collections.abc import Iterator

from stocksync.config import Config
from stocksync.dsn import parse
from stocksync.dsn.sqlite_file import file_of, obstacle
from stocksync.errors import ConfigurationError
from stocksync.sqlengine import open_engine


def preflight(config: Config) -> None:
    """Look for drivers that are missing, and for SQLite files that can never be opened.

    Raises:
        ConfigurationError: with every problem there is.

    """
    problems = list(dict.fromkeys(_problems(config)))
    if problems:
        raise ConfigurationError(problems)


def _problems(config: Config) -> Iterator[str]:
    databases = [("state.url", config.state.dsn())]
    databases += [(f"accounts.{one.name}.target.url", one.target.dsn()) for one in config.accounts]
    for where, url in databases:
        try:
            open_engine(url, where)  # connects to nothing
        except ConfigurationError as error:
            yield from error.problems
            continue
        file = file_of(parse(url, where))
        if file is not None and (words := obstacle(file)):
            yield f"{where}: {words}"


def refuse_private_state(config: Config) -> None:
    """Refuse a state that no second machine can share.

    Raises:
        ConfigurationError: it is SQLite.

    """
    if parse(config.state.dsn(), "state.url").get_backend_name() == "sqlite":
        raise ConfigurationError(
            f"{config.state.key}: machines share their state on PostgreSQL or MariaDB (one process: stocksync run)"
        )
