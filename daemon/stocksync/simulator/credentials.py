"""Who is let in: the API key, and OAuth tokens with refresh tokens that rotate."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from stocksync.simulator.wire import Answer, Request, json_answer


class Credentials:
    """The account's API key and the tokens it has issued; times are monotonic seconds."""

    def __init__(
        self,
        api_key: str,
        *,
        client_id: str = "sim-client",
        client_secret: str = "sim-secret",  # noqa: S107 - of a product that runs on localhost to be tried
        token_seconds: int = 3600,
        refresh_tokens: bool = True,
    ) -> None:
        self.api_key = api_key
        self.client_id = client_id
        self.client_secret = client_secret
        self.token_seconds = token_seconds
        self.refresh_tokens = refresh_tokens
        """False where the token endpoint gives access tokens alone."""
        self.issued = 0
        """How many access tokens there have been."""
        self._access: dict[str, float] = {}
        self._refresh: str | None = None

    def admits(self, headers: Mapping[str, str], now: float, api_key: str | None = None) -> bool:
        """Judge a request's headers; `api_key` replaces the account's own."""
        key = api_key or self.api_key
        authorization = headers.get("authorization", "")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and self._access.get(token, 0) > now:
            return True
        shown = (headers.get("api-key", ""), authorization, token if scheme.lower() == "bearer" else "")
        return any(_same(offered, key) for offered in shown)

    def token(self, request: Request, now: float) -> Answer:
        """Answer `POST /oauth/token`: client_credentials, and refresh_token where they are given."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if not self._is_client(form, request.headers):
            return json_answer(401, {"error": "invalid_client"})
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self._issue(now)
        if grant != "refresh_token":
            return json_answer(400, {"error": "unsupported_grant_type"})
        if self._refresh is None or not _same(form.get("refresh_token", ""), self._refresh):
            return json_answer(400, {"error": "invalid_grant"})
        return self._issue(now)

    def expire(self) -> None:
        """Let every access token issued so far expire."""
        self._access.clear()

    def forget_refresh(self) -> None:
        """Refuse every refresh token issued so far."""
        self._refresh = None

    def _issue(self, now: float) -> Answer:
        # Tokens are numbered, not random: two runs of one rehearsal are the same.
        self.issued += 1
        access = f"access-{self.issued}"
        self._access[access] = now + self.token_seconds
        grant: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
        }
        if self.refresh_tokens:
            self._refresh = f"refresh-{self.issued}"
            grant["refresh_token"] = self._refresh
        return json_answer(200, grant)

    def _is_client(self, form: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return False
        return _same(name, self.client_id) and _same(secret, self.client_secret)


def _same(offered: str, kept: str) -> bool:
    return hmac.compare_digest(offered.encode(), kept.encode())
