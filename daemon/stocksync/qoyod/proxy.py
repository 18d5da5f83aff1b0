"""Which proxy a request goes through."""

import urllib.request
from http import HTTPStatus

from yarl import URL


def proxy_for(proxy: str, url: URL) -> URL | None:
    """Give the configured proxy, or with "env" the environment's for this address; None to go there directly."""
    if proxy != "env":
        return URL(proxy) if proxy else None
    named = urllib.request.getproxies()
    if urllib.request.proxy_bypass(url.host or ""):
        return None
    found = named.get(url.scheme) or named.get("all")
    return URL(found if "://" in found else f"http://{found}") if found else None


def refusal(proxy: URL, status: int) -> str:
    """Say what a proxy answered in Qoyod's place; its user and password are not shown."""
    asks = status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    what = "asks for a user and a password, or refuses ours" if asks else f"answered {status}"
    return f"the proxy {proxy.host}:{proxy.port} {what}; check the account's proxy"
