"""One request to Qoyod, until it is answered: budget, credential, retries, and what each status means."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from random import Random
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from stocksync.core.desired_state import CLOCK_SKEW
from stocksync.core.events import BudgetSpent, CredentialJudged, RequestEnded, RequestThrottled
from stocksync.errors import SourceRefused, SourceUnavailable, Unauthorized
from stocksync.ports import Clock, Priority, Publish
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.credentials import Credential
from stocksync.qoyod.proxies import is_of_a_proxy, is_page
from stocksync.qoyod.settings import SourceSettings
from stocksync.qoyod.transport import Response, Transport, TransportFault

log = structlog.get_logger(__name__)
T = TypeVar("T")

FOUND_NOTHING = re.compile(rb"found nothing", re.IGNORECASE)
NO_PRODUCT = re.compile(rb"product not found", re.IGNORECASE)
_KNOWN_404 = re.compile(FOUND_NOTHING.pattern + b"|" + NO_PRODUCT.pattern, re.IGNORECASE)
_DEFAULT_WAIT = 60.0
_LONGEST_WAIT = 900.0
_GRACE = 5.0
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that was neither a fault nor a refusal: status 200 or 404."""

    response: Response
    read_at: datetime
    """When the request was sent."""
    received_at: datetime
    sent: int
    received: int
    """Ticks of one logical clock for all requests of the account."""

    @property
    def found(self) -> bool:
        """Whether the status is 200."""
        return self.response.status == HTTPStatus.OK

    @property
    def body(self) -> bytes:
        """The body."""
        return self.response.body

    def shows(self, path: str) -> bool:
        """Whether there are rows to decode; they are none only where Qoyod itself says so.

        Raises:
            SourceRefused: it says of the path that there is no such thing.

        """
        if not self.found and not FOUND_NOTHING.search(self.body[:1000]):
            raise SourceRefused(f"Qoyod knows no {path} here (404): check base_url, which ends in /2.0")
        return self.found


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for; `endpoint` is its name in metrics."""

    endpoint: str
    path: str
    params: Mapping[str, str]
    priority: Priority


class _Throttled(Exception):
    """A 429: not a fault, only a wait that the budget has been told of."""


class _Refused(Exception):
    """A 401 that a renewed credential may cure."""

    def __init__(self, headers: Mapping[str, str], message: str) -> None:
        self.headers = headers
        super().__init__(message)


class ApiCalls:
    """All requests of one account."""

    def __init__(
        self,
        *,
        settings: SourceSettings,
        transport: Transport,
        budget: Budget,
        credential: Credential,
        publish: Publish,
        clock: Clock,
        random: Random,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._budget = budget
        self._credential = credential
        self._publish = publish
        self._clock = clock
        self._random = random
        self._ticks = 0
        self._refused_at = 0
        self.skew: timedelta | None = None
        """How far the server's clock stood before ours at its last answer."""
        self._told_of_skew = False
        self._reported: tuple[bool, datetime | None] | None = None

    async def get(self, request: Request, understand: Callable[[Answer], T]) -> T:
        """Ask until there is an answer that `understand` accepts; 429s are waited out for ever.

        Raises:
            Unauthorized: the credential was refused, after one renewal where that is possible.
            SourceRefused: asking again changes nothing.
            SourceUnavailable: every attempt met a fault.

        """
        faults = 0
        while True:
            try:
                return understand(await self._authorized(request))
            except _Throttled:
                continue
            except SourceUnavailable as error:
                faults += 1
                log.debug("request_failed", account=self._settings.account, path=request.path, reason=str(error))
                if faults >= self._settings.attempts:
                    raise
            ceiling = min(self._settings.max_backoff, self._settings.backoff * 2.0 ** (faults - 1))
            await asyncio.sleep(self._random.uniform(0, ceiling))

    async def _authorized(self, request: Request) -> Answer:
        """Ask, and once more with a renewed credential after a 401."""
        try:
            try:
                return await self._once(request)
            except _Refused as refused:
                if not await self._credential.renew(refused.headers):
                    raise Unauthorized(str(refused)) from refused
            return await self._once(request)
        except _Refused as refused:
            self._note(well=False, reason=str(refused))
            raise Unauthorized(str(refused)) from refused
        except Unauthorized as error:
            self._note(well=False, reason=str(error))
            raise

    async def _once(self, request: Request) -> Answer:
        await self._credential.ready()
        await self._budget.acquire(request.priority)
        self._publish(BudgetSpent(self._settings.account, self._budget.available()))
        headers = self._credential.headers()
        read_at, sent = self._clock.now(), self._tick()
        response = await self._send(request, headers)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = retry_after(response.headers, self._clock.now())
            self._publish(RequestThrottled(self._settings.account, seconds))
            await self._budget.throttled(seconds)
            raise _Throttled
        self._judge(response, headers, sent)
        return Answer(response, read_at, self._clock.now(), sent, self._tick())

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Send one request; its fate is noted whatever it is."""
        began, code = self._clock.monotonic(), "cancelled"
        try:
            # The transport has its own time-outs; this one holds even where they do not.
            async with asyncio.timeout(self._settings.request_timeout + _GRACE):
                response = await self._transport.get(request.path, request.params, headers)
            code = str(response.status)
            self._note_date(response)
        except TransportFault as fault:
            code = fault.code
            raise SourceUnavailable(str(fault)) from fault
        except TimeoutError as error:
            code = "timeout"
            raise SourceUnavailable("Qoyod did not answer in time") from error
        finally:
            seconds = self._clock.monotonic() - began
            self._publish(RequestEnded(self._settings.account, request.endpoint, code, seconds))
        return response

    def _judge(self, response: Response, headers: Mapping[str, str], sent: int) -> None:
        """Let 200 and 404 pass; everything else is one of our errors."""
        status = response.status
        if status == HTTPStatus.NOT_FOUND and is_page(response) and _KNOWN_404.search(response.body):
            # Nobody's page, whatever its words are, proves that a product or a catalogue is gone.
            raise SourceUnavailable(
                f"somebody before Qoyod answered 404 with a page: {_excerpt(response.body, headers)}"
            )
        if status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            # What was asked before a refusal came proves nothing of the credential as it is since; nor does the page of
            # some proxy ever.
            known = status == HTTPStatus.OK or _KNOWN_404.search(response.body[:1000])
            if sent > self._refused_at and known:
                self._note(well=True)
            return
        shown = _excerpt(response.body, headers)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and is_of_a_proxy(response):
            raise SourceUnavailable(f"a proxy or firewall before Qoyod answered {status}: {shown}")
        if status == HTTPStatus.UNAUTHORIZED:
            raise _Refused(headers, f"Qoyod refused the credential (401): {shown}")
        if status == HTTPStatus.FORBIDDEN:
            raise Unauthorized(f"Qoyod forbids this (403), check the plan and the key's permissions: {shown}")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            place = _place(response.headers.get("location", "")) or "nowhere"
            raise SourceRefused(f"Qoyod sends elsewhere ({status}) and no credential follows: set base_url for {place}")
        client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if client_error and status != HTTPStatus.REQUEST_TIMEOUT:
            raise SourceRefused(f"Qoyod refused the request ({status}): {shown}")
        raise SourceUnavailable(f"Qoyod answered {status}: {shown}")

    def _note_date(self, response: Response) -> None:
        """Compare the clocks: ours decides which figure is newer, and how old it is called."""
        date = _date(response.headers.get("date", ""))
        if date is None:
            return
        self.skew = date - self._clock.now()
        wrong = abs(self.skew) > CLOCK_SKEW
        if wrong and not self._told_of_skew:
            seconds = round(self.skew.total_seconds())
            log.warning("clock_differs", account=self._settings.account, qoyod_before_us_seconds=seconds)
        self._told_of_skew = wrong

    def _note(self, *, well: bool, reason: str = "") -> None:
        """Tell of a change, once."""
        state = (well, self._credential.expires_at if well else None)
        if state == self._reported:
            return
        was, self._reported = self._reported, state
        self._publish(CredentialJudged(self._settings.account, *state))
        if not well:
            self._refused_at = self._tick()
            log.warning("unauthorized", account=self._settings.account, reason=reason)
        elif was is not None and not was[0]:
            log.info("authorized_again", account=self._settings.account)

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Give the seconds a 429 asks to wait: a number, an HTTP date, or 60 where it says nothing useful.

    A date is measured against the answer's own Date where there is one, as clocks differ. At most 15 minutes:
    a mistaken header must not silence an account for good, and another 429 only renews the wait.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        date = _date(text)
        seconds = (date - (_date(headers.get("date", "")) or now)).total_seconds() if date else _DEFAULT_WAIT
    return min(_LONGEST_WAIT, max(1.0, seconds))


@lru_cache(maxsize=16)  # the answers of one second bear one date
def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _place(location: str) -> str:
    """Give an address without what may be secret in it."""
    try:
        parts = urlsplit(location)
        host = f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
    except ValueError:
        return ""
    return (host + parts.path)[:_SHOWN]


def _excerpt(body: bytes, headers: Mapping[str, str]) -> str:
    """Show the start of a body on one line; a proxy's page may echo what was sent to it."""
    text = body[: _SHOWN * 10].decode(errors="replace")
    for value in headers.values():
        for secret in {value, value.removeprefix("Bearer ")}:
            text = text.replace(secret, "***")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text[:_SHOWN] or "(no body)"
