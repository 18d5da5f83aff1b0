"""The answers of faults that leave nothing, or only a damaged piece, of the real one."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from stocksync.simulator.faults import Fault, Route
from stocksync.simulator.wire import JSON, Answer, Manner, Request, json_answer

NOTHING = "We found nothing"
PRODUCT_NOT_FOUND = "Product not found"
URL_NOT_FOUND = "URL not found"
UNAUTHORIZED = {"error": "Unauthorized - Invalid API key"}
_DEPTH = 500_000
"""From Python 3.14 on the stack alone limits a decoder: 8 MiB of it take about 110,000."""
_MEGABYTE = 1_000_000
_DRIP_SECONDS = 0.2
_RETRY_SECONDS = 60


def not_found(route: Route) -> Answer:
    """Answer 404 as the endpoint of this route does."""
    texts = {"list": NOTHING, "product": PRODUCT_NOT_FOUND}
    return json_answer(404, texts.get(route.endpoint, URL_NOT_FOUND))


def _status(fault: Fault, route: Route, _: Request, _now: datetime) -> Answer:
    if fault.argument is not None:
        return Answer(fault.size, fault.argument.encode())
    if fault.size in {400, 401} and route.endpoint == "token":
        return json_answer(fault.size, {"error": "invalid_grant"})
    if fault.size == 404:  # noqa: PLR2004 - the status itself
        return not_found(route)
    if fault.size == 401:  # noqa: PLR2004 - the status itself
        return json_answer(401, UNAUTHORIZED)
    if fault.size >= 500:  # noqa: PLR2004 - the status itself
        return _html(fault.size)
    return json_answer(fault.size, {"error": f"The simulator was told to answer {fault.size}"})


def throttled(seconds: int) -> Answer:
    """Answer 429 with the seconds to wait."""
    return json_answer(429, {"error": "Too many requests"}, Retry_After=str(seconds))


def _throttle(fault: Fault, _route: Route, _request: Request, now: datetime) -> Answer:
    wanted = (fault.argument or f"retry={_RETRY_SECONDS}").removeprefix("retry=")
    if wanted == "none":
        return json_answer(429, {"error": "Too many requests"})
    if wanted.startswith("date-"):
        at = now + timedelta(seconds=int(wanted.removeprefix("date-")))
        return json_answer(429, {"error": "Too many requests"}, Retry_After=format_datetime(at, usegmt=True))
    return throttled(int(wanted))


def _html(status: int) -> Answer:
    page = f"<!DOCTYPE html><html><head><title>{status}</title></head><body>The simulator says so.</body></html>"
    return Answer(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


_CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
)


@lru_cache(maxsize=2)
def _rows_that_are_none(megabytes: int) -> bytes:
    row = b'{"row":"no product"},'
    return b'{"products":[' + row * (megabytes * _MEGABYTE // len(row)) + b'{}],"pagination":{}}'


@lru_cache(maxsize=2)
def _filler(megabytes: int) -> bytes:
    return b'{"products":[],"filler":"' + b"x" * (megabytes * _MEGABYTE) + b'"}'


ANSWERS: Mapping[str, Callable[[Fault, Route, Request, datetime], Answer]] = {
    "NNN": _status,
    "429": _throttle,
    "timeout": lambda *_: Answer(200, b"", manner=Manner.SILENT),
    "reset": lambda *_: Answer(200, b"", manner=Manner.RESET),
    "html": lambda *_: _html(200),
    "challenge": lambda fault, *_: Answer(
        int(fault.argument or 403),
        _CHALLENGE,
        {"Content-Type": "text/html; charset=UTF-8", "cf-mitigated": "challenge"},
    ),
    "hostile": lambda fault, *_: Answer(200, _rows_that_are_none(int(fault.argument or 16)), manner=Manner.STREAM),
    "string": lambda fault, *_: json_answer(200, "Service is busy" if fault.argument is None else fault.argument),
    "empty-body": lambda *_: Answer(200, b""),
    "redirect": lambda fault, _route, request, _now: Answer(
        307,
        b"",
        {"Location": fault.argument or f"http://{request.headers.get('host', 'localhost')}/moved{request.path}"},
    ),
    "deep-json": lambda *_: Answer(200, b'{"products":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}"),
    "huge": lambda fault, *_: Answer(200, _filler(int(fault.argument or 64)), manner=Manner.STREAM),
    "gzip-bomb": lambda fault, *_: Answer(
        200,
        gzip.compress(_filler(int(fault.argument or 64)), compresslevel=1, mtime=0),
        {"Content-Type": JSON, "Content-Encoding": "gzip"},
    ),
    "nothing": lambda fault, *_: (
        Answer(404, NOTHING.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        if fault.argument == "bare"
        else json_answer(404, NOTHING)
    ),
}


def _manner(manner: Manner) -> Callable[[Answer, Fault], Answer]:
    return lambda answer, _: replace(answer, manner=manner)


CARRIES: Mapping[str, Callable[[Answer, Fault], Answer]] = {
    "stall": _manner(Manner.STALL),
    "truncate": _manner(Manner.TRUNCATE),
    "half-json": lambda answer, _: replace(answer, body=answer.body[: len(answer.body) // 2]),
    "drip": lambda answer, fault: replace(answer, manner=Manner.DRIP, pause=float(fault.argument or _DRIP_SECONDS)),
    "slow": lambda answer, fault: replace(answer, manner=Manner.SLOW, pause=float(fault.argument or 0)),
}
