"""What no waiting mends, found before a daemon begins to wait."""

from collections.abc import Iterator

from stocksync.config import Config
from stocksync.config.section import DatabaseSection
from stocksync.dsn import parse
from stocksync.dsn.sqlite_file import file_of, obstacle
from stocksync.errors import ConfigurationError
from stocksync.sqlengine import open_engine


def preflight(config: Config) -> Config:
    """Look for drivers that are missing, and for SQLite files that can never be opened.

    Gives the configuration, without accounts of `accounts_dir` that can never work: they harm no other.

    Raises:
        ConfigurationError: with every problem there is.

    """
    problems = [*_problems("state.url", config.state)]
    in_files = {data["name"] for data in config.account_files.values()}
    refused: dict[str, list[str]] = {}
    for one in config.accounts:
        found = list(_problems(f"accounts.{one.name}.target.url", one.target))
        if found and one.name in in_files:
            refused[one.name] = found
        else:
            problems += found
    kept = config.refusing(refused) if refused else config
    if not kept.accounts:
        problems += [text for texts in refused.values() for text in texts]
    if problems:
        raise ConfigurationError(list(dict.fromkeys(problems)))
    return kept


def _problems(where: str, section: DatabaseSection) -> Iterator[str]:
    try:
        url = section.dsn()
        open_engine(url, where)  # connects to nothing
        file = file_of(parse(url, where))
    except ConfigurationError as error:
        yield from error.problems
        return
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
