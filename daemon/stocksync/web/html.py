"""A page as an answer over HTTP."""

from collections.abc import Mapping

from aiohttp import web

from stocksync.known_secrets import hidden_in_document


def html(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give a page; no secret stands in it."""
    # A SKU may hold half a surrogate pair, which no encoding takes.
    body = hidden_in_document(text).encode("utf-8", errors="replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers)
