"""How a request reaches Qoyod: a small protocol, and aiohttp behind it."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from stocksync.qoyod.proxy import proxy_for, refusal
from stocksync.qoyod.settings import SourceSettings


class TransportFault(Exception):
    """No whole answer arrived; `code` is one bounded word for metrics."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Post = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[Response]]
"""Posts a form: (URL, form, headers); raises TransportFault where no whole answer arrives."""

_POST_TIMEOUT = 30.0
_POST_BODY = 1024 * 1024


class Transport(Protocol):
    """Whatever can fetch a path below an account's base URL; it never follows a redirect."""

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """Fetch; raises TransportFault where no whole answer arrives."""


def open_session() -> aiohttp.ClientSession:
    """Open the one session of the program; it keeps no cookies and reads no proxy or netrc settings."""
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, ttl_dns_cache=60)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


class AiohttpTransport:
    """Requests over one aiohttp session, with time-outs and a cap on the body."""

    def __init__(self, session: aiohttp.ClientSession, settings: SourceSettings) -> None:
        self._session = session
        self._base = settings.base_url.rstrip("/")
        self._max_body = settings.max_body
        self._proxy = settings.proxy
        self._timeout = aiohttp.ClientTimeout(
            total=settings.request_timeout,
            sock_connect=settings.connect_timeout,
            sock_read=settings.read_timeout,
        )

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """Fetch a path below the base URL."""
        url = URL(self._base + path).with_query(params)
        return await _send(self._session, _Ask("GET", url, headers, self._timeout, self._max_body, proxy=self._proxy))


def post_over(session: aiohttp.ClientSession, proxy: str = "") -> Post:
    """Give what posts a form to an absolute URL, a token endpoint, over a session."""
    timeout = aiohttp.ClientTimeout(total=_POST_TIMEOUT, sock_connect=_POST_TIMEOUT, sock_read=_POST_TIMEOUT)

    async def post(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        ask = _Ask("POST", URL(url), headers, timeout, _POST_BODY, form, proxy)
        return await _send(session, ask)

    return post


@dataclass(frozen=True, slots=True)
class _Ask:
    method: str
    url: URL
    headers: Mapping[str, str]
    timeout: aiohttp.ClientTimeout
    max_body: int
    form: Mapping[str, str] | None = None
    proxy: str = field(default="", repr=False)


async def _send(session: aiohttp.ClientSession, ask: _Ask) -> Response:
    proxy = proxy_for(ask.proxy, ask.url)
    try:
        async with session.request(
            ask.method,
            ask.url,
            headers={"Accept": "application/json", **ask.headers},
            data=ask.form,
            proxy=proxy,
            allow_redirects=False,
            timeout=ask.timeout,
            middlewares=(_Once(),),
        ) as response:
            if proxy is not None and response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                raise TransportFault("proxy", refusal(proxy, response.status))
            body = await _body(response, ask.max_body)
            return Response(response.status, {k.lower(): v for k, v in response.headers.items()}, body)
    except aiohttp.ClientHttpProxyError as error:
        assert proxy is not None  # noqa: S101  for the type checker: who else would answer CONNECT
        raise TransportFault("proxy", refusal(proxy, error.status)) from None  # the error shows our headers
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _fault(error, ask.url) from error


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise TransportFault("too_large", f"the answer is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


class _Once:
    """Stops aiohttp from silently sending a request twice, which no budget would see."""

    def __init__(self) -> None:
        self._sent = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        if self._sent:
            raise aiohttp.ServerDisconnectedError("the kept connection was closed")
        self._sent = True
        return await handler(request)


def _fault(error: Exception, url: URL) -> TransportFault:
    where = url.host or "the host"
    if isinstance(error, asyncio.TimeoutError):
        return TransportFault("timeout", f"{where} did not answer in time")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | ssl.CertificateError):
        plain = "WRONG_VERSION_NUMBER" in str(error) or "record layer failure" in str(error)
        words = "it speaks no TLS there; is it http:// instead of https://?" if plain else str(error)
        return TransportFault("tls", f"no secure connection to {where}: {words}")
    if isinstance(error, aiohttp.ClientConnectorError):
        proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        what, check = ("the proxy", "the account's proxy") if proxy else (where, "base_url and the network")
        # aiohttp's own text repeats host and port and the state of its TLS.
        cause = error.os_error.strerror or str(error.os_error)
        if isinstance(error.os_error, socket.gaierror):
            cause = "no such host can be found"
        elif isinstance(error.os_error, ConnectionRefusedError):
            cause = "connection refused"
        words = f"no connection to {what}: {cause}; check {check}"
        return TransportFault("proxy" if proxy else "connect", words)
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportFault("truncated", f"the answer of {where} broke off")
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return TransportFault("reset", f"{where} closed the connection")
    return TransportFault("fault", f"{where}: {type(error).__name__}")
