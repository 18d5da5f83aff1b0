"""A page as an answer over HTTP, in the language of who asks."""

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from stocksync.known_secrets import hidden_in_document
from stocksync.web.language import COOKIE, LANGUAGES, spoken
from stocksync.web.page import Frame

_YEAR = 365 * 86_400
STARTED = web.AppKey("started", datetime)
"""Since when this process serves."""
OPTIONS = web.AppKey("options", str)
"""What a command on this machine needs behind its name to mean this configuration."""


def frame_of(request: web.Request, now: datetime, asked: str = "") -> Frame:
    """Give what stands around the page that answers a request."""
    speak = spoken(request)
    # A page that was made by POST is shown by GET in the other language.
    query = {**request.query, "lang": speak.other}
    account, app = request.query.get("account", ""), request.app
    switch = str(request.rel_url.with_query(query))
    return Frame(speak, now, switch, asked, account, app[STARTED], app[OPTIONS])


def html(request: web.Request, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give a page; no secret stands in it."""
    # A SKU may hold half a surrogate pair, which no encoding takes.
    body = hidden_in_document(text).encode("utf-8", errors="replace")
    made = web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers)
    made.headers["Content-Language"] = spoken(request).code
    made.headers["Vary"] = "Accept-Language, Cookie"
    if (chosen := request.query.get("lang")) in LANGUAGES:
        made.set_cookie(COOKIE, str(chosen), max_age=_YEAR, samesite="Strict", httponly=True)
    return made
