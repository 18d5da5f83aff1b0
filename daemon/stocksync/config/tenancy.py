"""Whose an account is, and which rows it writes: what decides who shares a budget, a lock or a table."""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from sqlalchemy.engine import URL

from stocksync.config.account import AccountConfig, TargetConfig
from stocksync.config.conditions import condition_of
from stocksync.core.policy import Unmapped
from stocksync.dsn import parse
from stocksync.errors import ConfigurationError

_PORTS = {"postgresql": 5432, "mysql": 3306, "sqlite": 0}
_DEFAULT_SCHEMAS = {"postgresql": "public", "sqlite": "main"}
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
_NUMBER = re.compile(r"[1-9][0-9]*")


def tenants_of(accounts: Sequence[AccountConfig]) -> dict[str, str]:
    """Give each account's tenant: the one it says, else that of the first account with its credential."""
    of_credential: dict[tuple[str, ...], str] = {}
    for account in (*(one for one in accounts if one.tenant), *accounts):
        of_credential.setdefault(_credential(account), account.tenant or account.name)
    return {one.name: one.tenant or of_credential[_credential(one)] for one in accounts}


def _credential(account: AccountConfig) -> tuple[str, ...]:
    auth, at = account.auth, account.base_url.rstrip("/")
    if auth.scheme == "oauth2":
        return at, auth.token_url, auth.client_id
    try:
        return at, auth.secret.read()
    except ConfigurationError:  # told elsewhere; without its credential an account is nobody else's
        return at, "", account.name


def same_table(accounts: Iterable[AccountConfig]) -> dict[str, list[AccountConfig]]:
    """Give for each account those that write to its table, itself included."""
    writers: dict[tuple[str, ...], list[AccountConfig]] = {}
    for one, table in _tables_of(accounts):
        writers.setdefault(table, []).append(one)
    return {one.name: together for together in writers.values() for one in together}


def sync_groups(accounts: Sequence[AccountConfig]) -> dict[str, tuple[str, ...]]:
    """Give each account's sync group: who shares a tenant or a table with it, or with one who does."""
    tenants = tenants_of(accounts)
    groups: dict[str, set[str]] = {}
    seen: dict[tuple[str, ...], str] = {}
    for one, table in _tables_of(accounts):
        groups[one.name] = {one.name}
        for shared in (("tenant", tenants[one.name]), ("table", *table)):
            known = groups[seen.setdefault(shared, one.name)]
            joined = groups[one.name] | known
            groups |= dict.fromkeys(joined, joined)
    return {name: tuple(sorted(group)) for name, group in groups.items()}


def _tables_of(accounts: Iterable[AccountConfig]) -> Iterator[tuple[AccountConfig, tuple[str, ...]]]:
    # Hundreds of accounts lead to few databases: an address is taken apart once.
    parsed: dict[str, URL] = {}
    for one in accounts:
        url = one.target.dsn()
        if url not in parsed:
            parsed[url] = parse(url, "url")
        yield one, _table_at(one.target, parsed[url])


def table_of(target: TargetConfig) -> tuple[str, ...]:
    """Name server, database and table the same, however the URL spells them; of own statements the text of `write`.

    Raises:
        ConfigurationError: no URL stands where it should, or none that can be used.

    """
    return _table_at(target, parse(target.dsn(), "url"))


def _table_at(target: TargetConfig, url: URL) -> tuple[str, ...]:
    backend = "mysql" if url.get_backend_name() == "mariadb" else url.get_backend_name()
    host = (url.host or str(url.query.get("host", url.query.get("unix_socket", "")))).lower().rstrip(".")
    database = url.database or ""
    if backend == "sqlite" and database not in {"", ":memory:"}:
        database = str(Path(database).resolve())
    if target.statements is not None:
        schema, table = "", " ".join(target.statements.write.split())
    else:
        named, _, table = target.table.rpartition(".")
        schema = named or str(_DEFAULT_SCHEMAS.get(backend, database))
    server = "localhost" if host in _THIS_MACHINE else host
    if backend == "mysql" and target.statements is None:
        database = schema
    return backend, server, str(url.port or _PORTS.get(backend)), database, schema, table


def fingerprint_of(target: TargetConfig) -> str:
    """Give a short digest of whom a target is: server, database, table, columns and key; no user and no password."""
    columns = target.mapping.model_dump(exclude={"updated_at"}) if target.statements is None else {}
    own = [] if target.statements is None else [" ".join(target.statements.read.split())]
    key = "" if target.statements is not None else target.match_by
    live = [f"live={condition_of(target.live)}"] if condition_of(target.live) else []
    parts = [*table_of(target), key, *(f"{name}={column}" for name, column in sorted(columns.items())), *own, *live]
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def told_apart(one: AccountConfig, other: AccountConfig) -> bool:
    """Whether no row of one account in a table that both write can be a row of the other."""
    if one.target.summed or other.target.summed:
        return False
    mine, theirs = _location_values(one), _location_values(other)
    open_ends = [account.locations.unmapped is Unmapped.AS_IS for account in (one, other)]
    numbers = any(_NUMBER.fullmatch(value) for value in (theirs if open_ends[0] else mine))
    return not (mine & theirs or all(open_ends) or (any(open_ends) and numbers))


def _location_values(account: AccountConfig) -> set[str]:
    # A case-insensitive collation takes these for one.
    return {value.strip().casefold() for value in account.locations.map.values()}
