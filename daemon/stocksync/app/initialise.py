"""`init`: look at a Qoyod account and at a database, and write the configuration that joins them."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.app.check_limits import TRIES, TRY_SECONDS, ThrottleListener
from stocksync.app.database_words import Opening
from stocksync.app.wiring import Tries, open_runtime, without_target
from stocksync.config import OWN_COLUMNS, PollConfig, SecretRef, build
from stocksync.config.writing import document
from stocksync.core.pace import READING_SHARE, reading_time
from stocksync.core.proposal import Proposal, propose_map, propose_tables
from stocksync.dsn import parse
from stocksync.dsn.sqlite_file import file_of
from stocksync.errors import ConfigurationError, TargetError, TargetUnavailable
from stocksync.sqlengine import close_engine, open_engine
from stocksync.state.database import open_state
from stocksync.targets.discovery import survey, values_of

_HEAD = """\
Written by `stocksync init`: what differs from the defaults. Every other key: config.example.toml.
Secrets never stand here: the variables and files named below hold them.
`stocksync check` tries every part, `stocksync plan` shows what would be written, `stocksync run` begins."""
_KEEP = timedelta(days=1)
_WHERE = "accounts.target.url"
_OWN = {name: str(column) for name, column in OWN_COLUMNS.model_dump().items()}


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a Qoyod account shows to its key."""

    locations: Mapping[int, str]
    """Id to name."""
    total: int | None
    """Products in its list; None where it does not say."""


async def look_at_source(account: Mapping[str, Any]) -> SourceFacts:
    """Try the credential of an account (its section so far), and read its locations and the size of its list.

    Raises:
        ConfigurationError: the section is wrong, or there is no credential.
        SourceError: Qoyod refuses it, or does not answer.

    """
    # A target is not known yet; the URL stands in for one, so that the rest of the section can be checked.
    config = build({"accounts": [{**account, "target": {"url": "sqlite:///unused.db", "create_table": True}}]})
    config = config.model_copy(update={"accounts": tuple(map(without_target, config.accounts))})
    state = await open_state("sqlite://", _KEEP)
    async with open_runtime(config, ThrottleListener().hear, state, tries=Tries(TRY_SECONDS, TRIES)) as runtime:
        (one,) = runtime.accounts.values()
        locations = await one.source.locations()
        page = await one.source.first_page()
    return SourceFacts(dict(locations), page.total)


async def look_at_target(url: str) -> list[Proposal]:
    """Give the tables of a database that could take figures, the likeliest first; none where the file is still to come.

    Raises:
        ConfigurationError: the URL is wrong, or its driver is not installed.
        TargetUnavailable: the database does not answer, or does not let us in.

    """
    file = file_of(parse(url, _WHERE))
    if file is not None and not file.exists():
        return []
    async with _opened(url) as engine:
        return propose_tables(await survey(engine, _WHERE), _OWN)


async def map_for(url: str, proposal: Proposal, locations: Mapping[int, str]) -> tuple[dict[int, str], list[str]]:
    """Propose a value of the location column for each of Qoyod's locations; give the column's values too.

    Raises:
        TargetUnavailable: as for `look_at_target`.

    """
    if "location" not in proposal.columns:
        return {}, []
    async with _opened(url) as engine:
        values = await values_of(engine, _WHERE, proposal.table, proposal.columns["location"])
    return propose_map(locations, values), values


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url, _WHERE)
    try:
        yield engine
    except TargetError as error:
        what, todo = Opening(parse(url, _WHERE), "the target's URL").words(error)
        raise TargetUnavailable(f"{what}; {todo}" if todo else what) from error
    finally:
        await close_engine(engine)


def sections_for(proposal: Proposal | None) -> dict[str, dict[str, Any]]:
    """Give what a proposal decides of an account's sections target and policy; None: our own table, to be made."""
    if proposal is None:
        return {"target": {"create_table": True}}
    target: dict[str, Any] = {"table": proposal.table}
    if dict(proposal.columns) == _OWN:
        return {"target": target}
    target |= {"match_by": proposal.match_by, "missing": "insert" if proposal.insert else "skip"}
    target["columns"] = dict(proposal.columns)
    return {"target": target} | ({} if "active" in proposal.columns else {"policy": {"on_deleted": "keep"}})


def poll_section(total: int | None) -> dict[str, Any]:
    """Give an interval and a deadline for a list too long for the usual ones; nothing for all others."""
    poll = PollConfig()
    needed = reading_time(total or 0, poll.per_page, poll.requests_per_minute) / READING_SHARE
    if needed <= poll.deadline:
        return {}
    minutes = int(needed / timedelta(minutes=1)) + 1
    return {"interval": f"{minutes + 5}m", "deadline": f"{minutes}m"}


def secret_in(path: Path) -> str:
    """Read a secret from a file, as the configuration will.

    Raises:
        ConfigurationError: nothing stands there, or more than one line.

    """
    return SecretRef("target.url", file=str(path.absolute())).read()


def write_config(path: Path, values: Mapping[str, Any]) -> None:
    """Check the values and write the file; one that is there already is never touched.

    Raises:
        ConfigurationError: the values do not make a configuration, or the file cannot be made.

    """
    build(values)
    _create(path, document(values, _HEAD), 0o644)


def write_secret(path: Path, value: str) -> None:
    """Write a secret into a new file that only its owner may read.

    Raises:
        ConfigurationError: the file is there already, or cannot be made.

    """
    _create(path, value + "\n", 0o600)


def _create(path: Path, text: str, mode: int) -> None:
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8")
        try:
            with file:
                file.write(text)
        except OSError:  # a full disk: half a file would stand in the way of the next try
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
