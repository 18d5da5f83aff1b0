"""Who may see what over HTTP, and who may have Qoyod asked."""

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import BasicAuth, web

from stocksync.core.jsonable import dumps

METRICS = "/metrics"
HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
OPEN_PATHS = HEALTH | {METRICS}
"""Served to everybody, where nothing else is said: scrapers and orchestrators seldom carry credentials."""
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="stocksync", charset="UTF-8"'}
_OURSELVES = {"same-origin", "none"}
"""What browsers say of a request that our own page makes, or that a person has typed."""


def is_loopback(host: str) -> bool:
    """Whether a host, without a port, is this machine alone."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Token:
    """One token, and whether its bearer may have Qoyod asked."""

    value: str
    refreshes: bool = True


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for one listener: `host` is what it listens on; without tokens only this machine is served."""

    host: str
    tokens: Sequence[Token] = ()
    metrics_need_token: bool = False

    def refusal(self, request: web.Request) -> web.Response | None:
        """Give the answer that refuses a request, or None where it may pass."""
        host = request.headers.get("Host", "")
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if not self.tokens and is_loopback(self.host) and not is_loopback(name):
            # A web page may make its own name lead to 127.0.0.1 and read us through the visitor's browser.
            return problem(403, "this name is not served; use 127.0.0.1, or set http.token_env to use a proxy")
        if self.is_open(request.path):
            return None
        if not self.tokens and not is_loopback(self.host):
            shown = ", ".join(sorted(HEALTH if self.metrics_need_token else OPEN_PATHS))
            return problem(403, f"set http.token_env to see more than {shown} from elsewhere")
        given = _given(request.headers.get("Authorization", "")).encode("utf-8", "replace")
        # Each is compared, in the same time whatever was given.
        known = [token for token in self.tokens if given and hmac.compare_digest(given, token.value.encode())]
        if self.tokens and not known:
            words = "the token is missing or wrong: give one of [http] as the password, with any user"
            return problem(401, words, _CHALLENGE)
        refreshes = not self.tokens or any(token.refreshes for token in known)
        return self._refusal_to_ask(request, refreshes=refreshes) if request.method == "POST" else None

    def is_open(self, path: str) -> bool:
        """Whether a path is served to everybody."""
        return path in HEALTH or (path == METRICS and not self.metrics_need_token)

    @staticmethod
    def _refusal_to_ask(request: web.Request, *, refreshes: bool) -> web.Response | None:
        """Refuse who may only look, and what a page of another site makes a visitor's browser send."""
        if not refreshes:
            return problem(403, 'this token may look and no more; to have Qoyod asked takes one with role = "refresh"')
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        # Where a browser tells what it is about, that counts: a proxy may have changed Host.
        ours = site in _OURSELVES if site else not origin or urlsplit(origin).netloc == request.headers.get("Host")
        return None if ours else problem(403, "another site may not spend the request budget")


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    """Give an error as JSON with one sentence."""
    return answer({"error": sentence}, status, headers)


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Give any report as JSON."""
    body = dumps(value, indent=1) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=headers)


def _given(header: str) -> str:
    """Give what a header offers as the token; "" where it offers none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    try:
        return str(BasicAuth.decode(header, encoding="utf-8").password)
    except ValueError:
        return ""
