"""OAuth 2.0: client credentials, and rotating refresh tokens that outlive the process.

Token endpoint, scopes and lifetimes are published nowhere by Qoyod, so they are settings.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
import structlog

from stocksync.errors import SourceError, SourceRefused, SourceUnavailable, StateError, Unauthorized
from stocksync.known_secrets import remember
from stocksync.ports import Clock, TokenStore
from stocksync.qoyod.proxies import is_of_a_proxy
from stocksync.qoyod.secret import secret_of
from stocksync.qoyod.transport import Post, TransportFault, post_over

log = structlog.get_logger(__name__)

_MARGIN = 60.0
_LONGEST = 10 * 365 * 86_400.0
_COOL_DOWN = 5.0


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: Any = None
    refresh_token: str | None = None


class OAuthCredential:
    """An access token, renewed before it expires and after a 401, by one task at a time.

    A new refresh token is stored before anything is done with it: the old one may be dead already.
    """

    def __init__(
        self,
        *,
        account: str,
        token_url: str,
        client_id: str,
        read_secret: Callable[[], str],
        session: aiohttp.ClientSession | Post,
        tokens: TokenStore,
        clock: Clock,
        scope: str = "",
    ) -> None:
        self._account = account
        self._token_url = token_url
        self._client_id = client_id
        self._scope = scope
        self._read_secret = read_secret
        self._post = post_over(session) if isinstance(session, aiohttp.ClientSession) else session
        self._tokens = tokens
        self._clock = clock
        self._lock = asyncio.Lock()
        self._access = ""
        self._renew_at: float | None = None
        self._unsaved: _Answer | None = None
        self._failed: tuple[float, SourceError] | None = None
        self.expires_at: datetime | None = None

    async def ready(self) -> None:
        """Renew the token where there is none or where it is about to expire."""
        if self._due():
            async with self._lock:
                if self._due():
                    await self._renew()

    def headers(self) -> Mapping[str, str]:
        """Give the header that carries the token."""
        return {"Authorization": f"Bearer {self._access}"}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Renew the token that met a 401, unless another task just did."""
        async with self._lock:
            if dict(self.headers()) == dict(refused):
                await self._renew()
        return True

    def _due(self) -> bool:
        return not self._access or (self._renew_at is not None and self._clock.monotonic() >= self._renew_at)

    async def _renew(self) -> None:
        """Renew; after a failure the same answer is given for a moment, as each waiting page would ask again."""
        if self._failed is not None and self._clock.monotonic() < self._failed[0]:
            raise type(self._failed[1])(str(self._failed[1]))
        try:
            answer = self._unsaved or await self._grant()
            if answer.refresh_token:
                # Where it cannot be stored it waits in memory, and nothing is used yet.
                self._unsaved = answer
                await self._save(answer.refresh_token)
                self._unsaved = None
        except SourceError as error:
            self._failed = (self._clock.monotonic() + _COOL_DOWN, error)
            raise
        self._failed = None
        lifetime = _seconds(answer.expires_in)
        self._access, self._renew_at, self.expires_at = answer.access_token, None, None
        if lifetime is not None:
            self._renew_at = self._clock.monotonic() + lifetime - min(_MARGIN, lifetime / 10)
            self.expires_at = self._clock.now() + timedelta(seconds=lifetime)
        log.info("token_renewed", account=self._account, expires_at=self.expires_at)

    async def _grant(self) -> _Answer:
        try:
            stored = await self._tokens.load(self._account)
        except StateError as error:
            raise SourceUnavailable(f"the refresh token could not be loaded: {error}") from error
        remember(stored)
        if stored:
            try:
                return await self._ask({"grant_type": "refresh_token", "refresh_token": stored})
            except Unauthorized as error:
                log.warning("refresh_token_refused", account=self._account, reason=str(error))
                await self._save("")
        scope = {"scope": self._scope} if self._scope else {}
        return await self._ask({"grant_type": "client_credentials", **scope})

    async def _ask(self, grant: Mapping[str, str]) -> _Answer:
        secret = secret_of(self._read_secret)
        form = {**grant, "client_id": self._client_id, "client_secret": secret}
        try:
            response = await self._post(self._token_url, form, {})
        except TransportFault as fault:
            raise SourceUnavailable(f"no token: {fault}") from fault
        status, where = response.status, self._token_url
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and is_of_a_proxy(response):
            raise SourceUnavailable(f"a proxy or firewall before {where} answered {status}")
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Unauthorized(f"{where} refused the client ({status}): check client_id, its secret and the scope")
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SourceUnavailable(f"{where} answered {status}")
        if status != HTTPStatus.OK:
            raise SourceRefused(f"{where} answered {status}: check token_url")
        try:
            answer = msgspec.json.decode(response.body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise SourceUnavailable(f"{where} gave no token that could be understood") from error
        remember(answer.access_token, answer.refresh_token)
        if not (answer.access_token and answer.access_token.isascii() and answer.access_token.isprintable()):
            raise SourceUnavailable(f"{where} gave a token that no HTTP header can carry")
        return answer

    async def _save(self, token: str) -> None:
        try:
            await self._tokens.save(self._account, token)
        except StateError as error:
            raise SourceUnavailable(f"the refresh token could not be stored: {error}") from error


def _seconds(value: object) -> float | None:
    """Read a lifetime; None where it is missing or absurd, and then only a 401 ends the token."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 1 <= seconds <= _LONGEST else None
