"""Which proxy a request goes through."""

import urllib.request
from http import HTTPStatus

from yarl import URL

from stocksync.known_secrets import remember


def proxy_for(proxy: str, url: URL) -> URL | None:
    """Give the configured proxy, or with "env" the environment's for this address; None to go there directly."""
    found: str | None = proxy
    if proxy == "env":
        named = {} if urllib.request.proxy_bypass(url.host or "") else urllib.request.getproxies()
        found = named.get(url.scheme) or named.get("all")
    if not found:
        return None
    leads = URL(found if "://" in found else f"http://{found}")
    remember(leads.password)
    return leads


def refusal(proxy: URL, status: int) -> str:
    """Say what a proxy answered in Qoyod's place; its user and password are not shown."""
    asks = status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    what = "asks for a user and a password, or refuses ours" if asks else f"answered {status}"
    return f"the proxy {proxy.host}:{proxy.port} {what}; check the account's proxy"
