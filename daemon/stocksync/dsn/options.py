"""What stands after the ? of a server's URL, in the words of libpq, JDBC, Prisma, Rails and the MySQL clients."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from stocksync.dsn.tls import Tls, mode_of

Backend = Literal["postgresql", "mysql"]
CONNECT_SECONDS = 10


@dataclass(slots=True)
class Options:
    """What a URL's query asks of the driver."""

    tls: Tls = field(default_factory=Tls)
    connect_seconds: float = CONNECT_SECONDS
    settings: dict[str, str] = field(default_factory=lambda: {"application_name": "stocksync"})
    """PostgreSQL's, sent as the connection is made."""
    session_attrs: str | None = None
    hosts: str = ""
    socket: str = ""
    problems: list[str] = field(default_factory=list)
    """One line each, never with a value: it may be a password."""


def options_of(backend: str, query: Mapping[str, str]) -> Options:
    """Understand every option of a URL, or name it with what to do about it."""
    options = Options()
    known = _POSTGRESQL if backend == "postgresql" else _MYSQL
    for key, value in query.items():
        take = known.get(_plain(key))
        if take:
            problem = take(options, value)
        else:
            close = difflib.get_close_matches(_plain(key), known, n=1, cutoff=0.8)
            meant = f'; did you mean "{close[0]}"?' if close else "; take it out"
            problem = f"no option that stocksync knows for {backend}{meant}"
        if problem:
            options.problems.append(f"?{key}=…: {problem}")
    if not options.problems and (problem := options.tls.problem()):
        options.problems.append(problem)
    return options


Take = Callable[[Options, str], str | None]
"""Puts a value where it belongs; gives what is wrong with it."""


def _plain(key: str) -> str:
    return re.sub(r"[-_. ]", "", key).lower()


def _nothing(_options: Options, _value: str) -> None:
    return None


def _refused(cure: str) -> Take:
    return lambda _options, _value: cure


def _only(*allowed: str, cure: str) -> Take:
    return lambda _options, value: None if value.lower() in allowed else cure


def _mode(options: Options, value: str) -> str | None:
    mode = mode_of(value)
    if mode is None:
        return "must be one of disable, allow, prefer, require, verify-ca, verify-full"
    options.tls.mode = mode
    return None


def _ssl(options: Options, value: str) -> str | None:
    # The drivers of Node take JSON here: {"rejectUnauthorized":true}
    if "rejectUnauthorized" in value:
        value = "verify-full" if re.search(r'rejectUnauthorized"?\s*:\s*true', value) else "require"
    # With sslmode beside it, ssl=true says no more than that.
    return _mode(options, value) if options.tls.mode is None or mode_of(value) is None else None


def _of_tls(name: Literal["ca", "capath", "cert", "key", "key_password"]) -> Take:
    def take(options: Options, value: str) -> None:
        setattr(options.tls, name, value)

    return take


def _verify(mode: Literal["verify-ca", "verify-full"]) -> Take:
    def take(options: Options, value: str) -> str | None:
        if mode_of(value) == "require" and options.tls.mode != "verify-full":
            options.tls.mode = mode
        return None

    return take


def _seconds(options: Options, value: str) -> str | None:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return "must be a number of seconds"
    # libpq's 0 is "for ever", which nothing here may take.
    options.connect_seconds = float(value) or CONNECT_SECONDS
    return None


def _setting(name: str) -> Take:
    def take(options: Options, value: str) -> None:
        options.settings[name] = value

    return take


def _fallback_name(options: Options, value: str) -> None:
    if options.settings["application_name"] == "stocksync":
        options.settings["application_name"] = value


_ATTRS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_WORDS = {"master": "primary", "slave": "standby", "secondary": "standby", "preferslave": "prefer-standby"}


def _session_attrs(options: Options, value: str) -> str | None:
    options.session_attrs = _WORDS.get(value.lower(), value)
    return None if options.session_attrs in _ATTRS else f"must be one of {', '.join(_ATTRS)}"


def _direct(options: Options, value: str) -> str | None:
    options.tls.direct = value == "direct"
    return None if value in {"direct", "postgres"} else "must be postgres or direct"


def _hosts(options: Options, value: str) -> None:
    options.hosts = value


def _socket(options: Options, value: str) -> str | None:
    options.socket = value
    return None if value.startswith("/") else "must be the whole path of the socket, from /"


_POOL = _refused("stocksync keeps a small pool of its own; take it out")
_LIMIT = _refused("stocksync sets its own limits in each transaction; take it out")
_SERVICE = _refused("a service file is libpq's own; write user, host and database into the URL")
_PASSFILE = _refused("a password file is libpq's own; write the password into the URL, or the whole URL into url_file")
_KEEPALIVE = _refused("the driver cannot set it; take it out")
_BINDING = _only(
    "disable",
    "prefer",
    cure="the driver knows no channel binding; write sslmode=verify-full in its place, which proves the server too",
)
_COMMON: Mapping[str, Take] = {
    "sslmode": _mode, "ssl": _ssl, "usessl": _ssl, "requiressl": _ssl, "tls": _ssl, "sslaccept": _mode,
    "sslrootcert": _of_tls("ca"), "sslca": _of_tls("ca"), "sslcapath": _of_tls("capath"),
    "sslcert": _of_tls("cert"), "sslkey": _of_tls("key"), "sslpassword": _of_tls("key_password"),
    "sslverifycert": _verify("verify-ca"), "verifyservercertificate": _verify("verify-ca"),
    "sslverifyidentity": _verify("verify-full"), "sslcheckhostname": _verify("verify-full"),
    "connecttimeout": _seconds, "connectiontimeout": _seconds, "host": _hosts,
    **dict.fromkeys(("connectionlimit", "pool", "poolsize", "pooltimeout", "maxpoolsize", "maxconnections"), _POOL),
    **dict.fromkeys(("statementtimeout", "locktimeout", "sockettimeout", "readtimeout", "writetimeout"), _LIMIT),
    "serverversion": _nothing,  # Doctrine's; SQLAlchemy asks the server
}  # fmt: skip
_UTF8 = ("utf8", "utf-8", "utf8mb4", "unicode")
_POSTGRESQL: Mapping[str, Take] = {
    **_COMMON,
    "channelbinding": _BINDING,
    "applicationname": _setting("application_name"), "fallbackapplicationname": _fallback_name,
    "options": _setting("options"),
    "schema": _setting("search_path"), "currentschema": _setting("search_path"), "searchpath": _setting("search_path"),
    "targetsessionattrs": _session_attrs, "targetservertype": _session_attrs,
    "sslnegotiation": _direct, "sslsni": _only("1", cure="the host's name is always sent; take it out"),
    "gssencmode": _only("disable", "prefer", cure="the driver knows no GSSAPI encryption; take it out"),
    "clientencoding": _only(*_UTF8, "auto", cure="stocksync speaks UTF-8; take it out"),
    "charset": _only(*_UTF8, cure="stocksync speaks UTF-8; take it out"),
    # No statement is ever kept prepared, so a pooler in transaction mode needs nothing more.
    **dict.fromkeys(
        ("pgbouncer", "preparedstatements", "preparethreshold", "statementcachesize", "preparedstatementcachesize"),
        _nothing,
    ),
    "keepalives": _only("1", cure="the driver cannot set it; take it out"),
    **dict.fromkeys(("keepalivesidle", "keepalivesinterval", "keepalivescount", "tcpusertimeout"), _KEEPALIVE),
    "service": _SERVICE, "passfile": _PASSFILE,
}  # fmt: skip
_MYSQL: Mapping[str, Take] = {
    **_COMMON,
    "unixsocket": _socket, "socket": _socket,
    "ssldisabled": lambda options, value: _mode(options, "disable") if mode_of(value) == "require" else None,
    **dict.fromkeys(
        ("charset", "encoding", "characterencoding", "useunicode"),
        _only(*_UTF8, "true", cure="stocksync speaks utf8mb4; take it out"),
    ),
    # How other drivers convert and reconnect; ours do as these ask, or the point does not arise.
    **dict.fromkeys(("reconnect", "autoreconnect", "parsetime", "allowpublickeyretrieval"), _nothing),
    **dict.fromkeys(("servertimezone", "loc"), _refused("stocksync writes UTC, whatever the zone; take it out")),
}  # fmt: skip
