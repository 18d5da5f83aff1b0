"""Whose word a refusal is: the API's own, or that of a proxy, firewall or challenge on the way to it."""

from http import HTTPStatus

import msgspec

from stocksync.qoyod.transport import Response

_API_ERROR_KEYS = frozenset({"error", "errors", "message", "messages"})
_LONGEST_ERROR = 65_536


def is_of_a_proxy(response: Response) -> bool:
    """Whether a refusal (4xx) is the word of something between us and Qoyod, and so proves nothing about us.

    Qoyod's API refuses in JSON, and a 401 may come without a body; a challenge, a block page or a portal is a page.
    Redirects are judged by where they lead.
    """
    status, body = response.status, response.body.strip()
    if status < HTTPStatus.BAD_REQUEST or response.headers.get("cf-mitigated"):
        return status >= HTTPStatus.BAD_REQUEST
    if status == HTTPStatus.FORBIDDEN:
        error = _json_of(body)
        told = isinstance(error, str) or (isinstance(error, dict) and not _API_ERROR_KEYS.isdisjoint(error))
        return not told or _is_edge_error(body)
    is_page = response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
    return is_page or body.startswith(b"<") or _is_edge_error(body)


def is_page(response: Response) -> bool:
    """Whether a body is a page for browsers; its type alone proves nothing, as plain sentences are sent as HTML too."""
    return response.body.lstrip().startswith(b"<")


def _is_edge_error(body: bytes) -> bool:
    """Whether it is Cloudflare's JSON form of an error page."""
    error = _json_of(body)
    return isinstance(error, dict) and "cloudflare_error" in error


def _json_of(body: bytes) -> object:
    try:
        return msgspec.json.decode(body[:_LONGEST_ERROR])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
