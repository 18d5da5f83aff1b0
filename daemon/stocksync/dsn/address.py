"""Which database a URL names: read apart by hand, as passwords hold what a URL may not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from stocksync.dsn.options import options_of
from stocksync.errors import ConfigurationError
from stocksync.known_secrets import remember

DRIVERS: Mapping[str, tuple[str, str]] = {
    "sqlite": ("aiosqlite", ""),
    "postgresql": ("asyncpg", "postgresql"),
    "mysql": ("asyncmy", "mysql"),
    "mariadb": ("asyncmy", "mysql"),
}
"""A backend's async driver, and the extra that installs it."""

_ALIASES = {
    "sqlite3": "sqlite",
    **dict.fromkeys(("postgres", "pgsql", "psql", "pg", "postgis"), "postgresql"),
    **dict.fromkeys(("mysql2", "mysqli", "trilogy"), "mysql"),
}
_SCHEME = re.compile(r"(?:jdbc:)?([A-Za-z][\w.-]*)(?:\+\w+)?://(.*)", re.DOTALL)
_ADDRESS = re.compile(r"(?P<hosts>[^/?#@\s]*)(?:/(?P<database>[^?#@]*))?(?:\?(?P<query>(?:[^=&@]+=.*)?))?", re.DOTALL)
_HOST = re.compile(r"(\[[^\[\]/]+\]|[^\[\]:]*)(?::(\d*))?")
_BARE_IPV6 = re.compile(r"@([0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f.:]*)(?=[/?]|$)")
_GO_ADDRESS = re.compile(r"@(tcp|tcp6|unix)\(")
_WRONG_PERCENT = "a % in the password is written %25"
_HIGHEST_PORT = 65_535
_SECRET_OPTIONS = {"sslpassword"}
_SQLITE_FILE = {"mode", "cache", "immutable", "nolock", "vfs", "psow", "uri"}


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a server's URL, decoded."""

    hosts: tuple[tuple[str, int | None], ...]
    database: str
    user: str | None
    password: str | None = field(repr=False)
    query: Mapping[str, str] = field(repr=False)


def parse(url: str, where: str) -> URL:
    """Make a URL one for SQLAlchemy: the async driver named, several hosts and sockets in its query.

    Raises:
        ConfigurationError: `where` names the key that holds the URL; the password is never shown.

    """
    match = _SCHEME.fullmatch(url)
    if not match:
        raise ConfigurationError(f"{where}: not a database URL; write sqlite:///file.db or postgresql://…")
    backend = _ALIASES.get(match[1].lower(), match[1].lower())
    if backend not in DRIVERS:
        raise ConfigurationError(f"{where}: {backend} is not supported; use {', '.join(DRIVERS)}")
    try:
        parsed = _sqlite(match[2]) if backend == "sqlite" else _server(backend, match[2])
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from None  # the cause may hold the password
    remember(parsed.password, *(str(parsed.query[key]) for key in _SECRET_OPTIONS & parsed.query.keys()))
    return parsed.set(drivername=f"{backend}+{DRIVERS[backend][0]}")


def shown(url: str) -> str:
    """Give a URL for people: no password, and nothing of its query, where drivers take one too."""
    try:
        parsed = parse(url, "")
    except ConfigurationError:
        return "***"
    plain = parsed.set(drivername=parsed.get_backend_name(), query={})
    return plain.render_as_string(hide_password=True) + ("?…" if parsed.query else "")


def same_database(one: URL, other: URL) -> bool:
    """Whether two parsed URLs lead to one database as one user, so that one transaction can span both uses.

    Any difference tells them apart: another user has other rights, and a query may name another server or schema.
    """
    in_memory = one.get_backend_name() == "sqlite" and one.database in {None, "", ":memory:"}
    return one == other and not in_memory


def split(rest: str) -> Address:
    """Read apart what follows `scheme://`.

    Raises:
        ValueError: it is no address; the message says which character to write otherwise.

    """
    user, password, match = _credentials(rest)
    if match is None:
        raise ValueError("not a database URL; write postgresql://user:password@host/database")
    query: dict[str, str] = {}
    for key, value in parse_qsl(match["query"] or "", keep_blank_values=True):
        query[key] = f"{query[key]},{value}" if key == "host" and key in query else value
    return Address(
        hosts=tuple(_hosts(match["hosts"])),
        database=_decoded(match["database"] or ""),
        user=user,
        password=password,
        query=query,
    )


def _sqlite(rest: str) -> URL:
    try:
        parsed = make_url(f"sqlite://{rest}")
    except (ArgumentError, ValueError):
        raise ValueError("not a database URL; write sqlite:///file.db") from None
    if parsed.host or parsed.username:
        raise ValueError(
            "SQLite has no host: write sqlite:///file.db with three slashes, sqlite:////var/file.db with four"
        )
    strange = sorted(parsed.query.keys() - _SQLITE_FILE)
    if strange or (parsed.query and "uri" not in parsed.query):
        name = (strange or sorted(parsed.query))[0]
        raise ValueError(f"?{name}=…: SQLite takes no options here; take it out")
    return parsed


def _server(backend: str, rest: str) -> URL:
    address = _completed(split(rest))
    problems = options_of(backend, address.query).problems
    if problems:
        raise ValueError("; ".join(problems))
    if backend != "postgresql" and not address.database:
        raise ValueError("names no database: write it after the host, as in mysql://user@host/database")
    (host, port), *more = address.hosts or (("", None),)
    query = dict(address.query)
    if more:
        query["host"] = ",".join(name if number is None else f"{name}:{number}" for name, number in address.hosts)
    elif host.startswith("/"):
        query["host" if backend == "postgresql" else "unix_socket"] = host
    elsewhere = more or host.startswith("/")
    return URL.create(
        backend,
        username=address.user,
        password=address.password,
        host=None if elsewhere else host.strip("[]") or None,
        port=None if more else port,
        database=address.database or None,
        query=query,
    )


def _completed(address: Address) -> Address:
    """Take user, password, host and database from the query, where JDBC and libpq allow them."""
    query = dict(address.query)
    user = query.pop("user", None) or query.pop("username", None) or address.user
    password = query.pop("password", address.password)
    database = query.pop("dbname", None) or query.pop("database", None) or address.database
    hosts = address.hosts
    if given := query.pop("host", ""):
        ports = query.pop("port", "")
        hosts = tuple(_hosts(given))
        if ports and ":" not in given:
            names, numbers = given.split(","), ports.split(",")
            if not all(number.isdecimal() for number in numbers) or len(numbers) not in {1, len(names)}:
                raise ValueError("port=… must be a number, or as many as there are hosts")
            numbers = numbers * len(names) if len(numbers) == 1 else numbers
            hosts = tuple((_host(name)[0], int(number)) for name, number in zip(names, numbers, strict=True))
    return replace(address, hosts=hosts, database=database, user=user, password=password, query=query)


def _credentials(rest: str) -> tuple[str | None, str | None, re.Match[str] | None]:
    whole = _ADDRESS.fullmatch(rest)
    if whole and _plausible(whole["hosts"]):
        return None, None, whole
    # A password may hold / ? # as it stands: what follows the right @ is the first that reads as an address.
    for at in (found.start() for found in re.finditer("@", rest)):
        match = _ADDRESS.fullmatch(rest, at + 1)
        if match and _plausible(match["hosts"]):
            if "@" in rest[:at]:
                host = match["hosts"] or "…"
                raise ValueError(f"no host '…@{host}': an @ in the password (or the user) is written %40")
            user, colon, password = rest[:at].partition(":")
            return _decoded(user), _decoded(password) if colon else None, match
    if bare := _BARE_IPV6.search(rest):
        raise ValueError(f"an IPv6 address is written in brackets: [{bare[1]}]")
    if go := _GO_ADDRESS.search(rest):
        raise ValueError(f"{go[1]}(…) is how Go writes it: write user:password@host:port/database")
    if "@" in rest:
        cure = "write @ as %40, / as %2F, # as %23, ? as %3F and % as %25 in the password"
        raise ValueError(f"the host cannot be told from the password: {cure}")
    return None, None, None


def _plausible(hosts: str) -> bool:
    return all(_HOST.fullmatch(host) for host in hosts.split(","))


def _hosts(text: str) -> list[tuple[str, int | None]]:
    return [_host(part) for part in text.split(",") if part]


def _host(text: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(text)
    if text.startswith("/") or not match:
        return text, None
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"port {port} is none: there are 1 to {_HIGHEST_PORT}")
    return _decoded(match[1]), port


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(_WRONG_PERCENT) from None
