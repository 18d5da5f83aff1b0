"""Who may see what over HTTP."""

import base64
import binascii
import hmac
import ipaddress
from dataclasses import dataclass

from aiohttp import web

from stocksync.core.jsonable import dumps

OPEN_PATHS = frozenset({"/metrics", "/healthz", "/livez", "/readyz"})
"""Served to everybody: scrapers and orchestrators seldom carry credentials."""


def is_loopback(host: str) -> bool:
    """Whether a host, without a port, is this machine alone."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for one listener: `host` is what it listens on, `token` what it asks for ("" for nothing)."""

    host: str
    token: str = ""

    def refusal(self, request: web.Request) -> web.Response | None:
        """Give the answer that refuses a request, or None where it may pass."""
        if not self.token and is_loopback(self.host) and not is_loopback(_host_of(request)):
            # A web page may make its own name lead to 127.0.0.1 and read us through the visitor's browser.
            return problem(403, "this name is not served; use 127.0.0.1, or set http.token_env to use a proxy")
        if request.path in OPEN_PATHS:
            return None
        if not self.token and not is_loopback(self.host):
            shown = ", ".join(sorted(OPEN_PATHS))
            return problem(403, f"set http.token_env to see more than {shown} from elsewhere")
        if self.token and not self._knows_token(request.headers.get("Authorization", "")):
            words = "the token is missing or wrong: give the one of http.token_env as the password, with any user"
            return problem(401, words, {"WWW-Authenticate": 'Basic realm="stocksync"'})
        spends = "fresh" in request.query or request.method == "POST"
        if spends and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return problem(403, "another site may not spend the request budget")
        return None

    def _knows_token(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        given = value.strip()
        if scheme.lower() == "basic":
            given = _basic_password(given)
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    """Give an error as JSON with one sentence."""
    return answer({"error": sentence}, status, headers)


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Give any report as JSON."""
    body = dumps(value, indent=1) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=headers)


def _host_of(request: web.Request) -> str:
    host = request.headers.get("Host", "")
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _basic_password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
