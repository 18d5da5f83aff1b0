"""From a parsed URL to a driver's arguments, and the connection itself."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from socket import gaierror
from typing import Any

from sqlalchemy.engine import URL

from stocksync.dsn.options import Options, options_of

# Without strictness MySQL clips what does not fit, and says nothing; its TIMESTAMPs are of the session's time zone.
_STRICT_IN_UTC = (
    "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_ALL_TABLES'), time_zone = '+00:00'"
)
_BUSY_SECONDS = 5

Connect = Callable[..., Awaitable[Any]]


def connect_args(url: URL) -> dict[str, Any]:
    """Give what `create_engine` hands to the driver for a URL that `parse` gave.

    Raises:
        ValueError: a certificate cannot be used.

    """
    backend = url.get_backend_name()
    if backend == "sqlite":
        return {"timeout": _BUSY_SECONDS}
    options = options_of(backend, {key: str(value) for key, value in url.query.items()})
    return _postgresql(url, options) if backend == "postgresql" else _mysql(url, options)


def _postgresql(url: URL, options: Options) -> dict[str, Any]:
    mode = options.tls.effective
    given: dict[str, Any] = {
        "timeout": options.connect_seconds,
        "server_settings": options.settings,
        # A pooler in transaction mode (PgBouncer, Supabase, Neon) hands every transaction to another session, where a
        # statement that was prepared earlier is unknown. Without caches each is prepared unnamed, as it is used;
        # a connection that proves to be the server's own gets its cache back.
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "async_creator_fn": partial(_named_failures, options.hosts or url.host or ""),
    }
    if options.session_attrs:
        given["target_session_attrs"] = options.session_attrs
    if options.hosts:
        pairs = [_host_and_port(host, url.port or 5432) for host in options.hosts.split(",")]
        given |= {"host": [host for host, _ in pairs], "port": [port for _, port in pairs]}
    if mode in {"require", "verify-ca", "verify-full"}:
        given["ssl"] = options.tls.context()
    elif mode:
        given["ssl"] = mode
    if options.tls.direct:
        given["direct_tls"] = True
    return given


def _host_and_port(text: str, usual: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if text.startswith("/") or not colon or not port.isdecimal():
        return text.strip("[]"), usual
    return host.strip("[]"), int(port)


async def _named_failures(host: str, /, **given: Any) -> Any:  # noqa: ANN401  a driver's arguments and its connection
    import asyncpg  # noqa: PLC0415  an extra

    try:
        return await asyncpg.connect(**given)
    except (gaierror, UnicodeError) as error:
        words = error.strerror if isinstance(error, gaierror) else "no name of a host"
        raise ConnectionError(f"no host {host!r}: {words}") from error
    except FileNotFoundError as error:
        raise ConnectionError(f"no server at the socket in {host!r}: {error.strerror}") from error


def _mysql(url: URL, options: Options) -> dict[str, Any]:
    mode = options.tls.effective
    secured = options.tls.context() if mode not in {None, "disable"} else None
    named = options.hosts.split(",") if options.hosts else [url.host or "localhost"]
    hosts = [_host_and_port(host, url.port or 3306) for host in named]
    return {
        "connect_timeout": max(1, options.connect_seconds),
        "charset": "utf8mb4",
        "init_command": _STRICT_IN_UTC,
        # The driver writes a password of text in Latin 1, which no server expects.
        "password": (url.password or "").encode(),
        **({"unix_socket": options.socket} if options.socket else {}),
        "async_creator_fn": partial(_first_host, hosts, secured, optional=mode in {"allow", "prefer"}),
    }


async def _first_host(
    hosts: list[tuple[str, int]],
    secured: ssl.SSLContext | None,
    /,
    *,
    optional: bool,
    **given: Any,  # noqa: ANN401  a driver's arguments
) -> Any:  # noqa: ANN401  and its connection
    failure: Exception | None = None
    for host, port in hosts:
        try:
            return await _tls_or_plain({**given, "host": host, "port": port}, secured, optional=optional)
        except Exception as error:  # noqa: BLE001  the last host's is raised
            failure = error
    assert failure is not None  # noqa: S101  for the type checker: there is at least one host
    raise failure


async def _tls_or_plain(at: dict[str, Any], secured: ssl.SSLContext | None, *, optional: bool) -> Any:  # noqa: ANN401
    import asyncmy  # noqa: PLC0415  an extra

    if secured is None:
        return await asyncmy.connect(**at)
    try:
        return await asyncmy.connect(**at, ssl=secured)
    except Exception:
        if not optional:
            raise
    return await asyncmy.connect(**at)
