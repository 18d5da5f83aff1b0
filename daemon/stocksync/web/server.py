"""The HTTP server: metrics, health, status and look-ups. It writes nothing itself; a look-up may push."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from aiohttp import web

from stocksync import __version__
from stocksync.core.answers import Health, Waiting
from stocksync.core.health import Watched
from stocksync.core.model import whole_number
from stocksync.core.status import AccountStatus
from stocksync.errors import AddressTaken, ConfigurationError, NotFound, StateError
from stocksync.web import page, waiting
from stocksync.web.access import OPEN_PATHS, Access, Token, answer, problem
from stocksync.web.connections import Connections, listen, most_connections
from stocksync.web.feed import ChangesAfter, Feed
from stocksync.web.gathering import Gathering, Register
from stocksync.web.html import OPTIONS, STARTED, frame_of, html
from stocksync.web.lookups import Lookups, Products
from stocksync.web.reasons import RUNBOOK
from stocksync.web.status_json import part_of, readiness_json, status_json

log = structlog.get_logger(__name__)
T = TypeVar("T")

_STUCK_SECONDS = 15.0
_ANSWER_SECONDS = 120.0
"""What an answer may take: whoever asked has mostly gone by then, or never ends the question."""
_LARGEST_BODY = 128 * 1024
_KEPT = ("WWW-Authenticate", "Retry-After", "Allow")
_SECURITY = {
    "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Web:
    """What is served; `serve` puts it on a port."""

    def __init__(
        self,
        *,
        accounts: Sequence[Watched],
        statuses: Callable[[], Awaitable[list[AccountStatus]]],
        products: Callable[[], Products],
        changes: ChangesAfter,
        register: Register,
        loop_age: Callable[[], float],
        render: Callable[[str], tuple[bytes, str]],
        now: Callable[[], datetime],
        waiting: Callable[[], Waiting | None] = lambda: None,
        tokens: Sequence[Token] = (),
        metrics_need_token: bool = False,
        complaints: Callable[[], Sequence[str]] = tuple,
        options: str = "",
    ) -> None:
        """`options`: what a command on this machine needs behind its name to mean this configuration.

        `loop_age`: seconds since the event loop turned; `render`: the metrics as an Accept header asks for them.

        `complaints`: what stands still although the loop turns.
        `waiting`: what is waited for at the start, before there is anything to show.
        """
        self.tokens, self.metrics_need_token = tokens, metrics_need_token
        self.watch(accounts)
        self._statuses, self._now = statuses, now
        self._loop_age, self._render, self._options = loop_age, render, options
        self._complaints, self._waiting = complaints, waiting
        self._feed = Feed(changes, lambda: self._accounts, register.locations)
        self._gathering = Gathering(register, now)
        self._lookups = Lookups(products, lambda: self._accounts, now, self._gathering.search, self._away)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents")

    def watch(self, accounts: Sequence[Watched]) -> None:
        """Show these accounts from now on."""
        self._accounts = {account.name: account for account in accounts}

    def application(self, access: Access, connections: Connections) -> web.Application:
        """Give the routes behind the rules of `access`; `connections` hears of each request."""

        @web.middleware
        async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401  aiohttp's type
            transport = request.transport
            connections.begin(transport)
            try:
                refused = access.refusal(request)
                if refused is None and connections.crowded and request.path not in OPEN_PATHS:
                    refused = problem(503, "too many requests at once: try again", {"Retry-After": "1"})
                if refused is not None:
                    return refused
                async with asyncio.timeout(_ANSWER_SECONDS) as limit:
                    answered: web.StreamResponse = await handler(request)
                    return answered
            except TimeoutError:
                if not limit.expired():
                    raise
                return problem(503, f"no answer within {_ANSWER_SECONDS:g} s: try again later")
            finally:
                connections.end(transport)

        application = web.Application(middlewares=[self._for_browsers, guarded], client_max_size=_LARGEST_BODY)
        application.on_response_prepare.append(_secure)
        application[STARTED], application[OPTIONS] = self._now(), self._options
        application.router.add_get("/", self.front)
        application.router.add_get(RUNBOOK, self.runbook)
        application.router.add_get("/metrics", self.metrics)
        application.router.add_get("/livez", self.healthz)
        application.router.add_get("/healthz", self.healthz)
        application.router.add_get("/readyz", self.readyz)
        application.router.add_get("/api/status", self.status)
        self._lookups.add_to(application.router)
        application.router.add_get("/api/changes", self._feed.changes)
        return application

    async def metrics(self, request: web.Request) -> web.Response:
        """What Prometheus scrapes."""
        body, content_type = await self._apart(self._render, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def healthz(self, _request: web.Request) -> web.Response:
        """Whether the event loop turns, and polls are made and end; waiting is no reason to be restarted."""
        age = self._loop_age()
        if age > _STUCK_SECONDS:
            return problem(503, f"the event loop last turned {age:.0f} s ago")
        if complaints := self._complaints():
            return problem(503, f"the event loop turns, but {'; '.join(complaints)}: restart stocksync")
        return answer({"well": True} | self._awaited())

    async def readyz(self, _request: web.Request) -> web.Response:
        """Whether every account is fresh."""
        try:
            judged = await self._judged()
        except StateError as error:
            return self._unreadable(error)
        return await self._apart(readiness_json, judged, self._awaited())

    async def status(self, request: web.Request) -> web.Response:
        """Everything people are shown, for machines; `account` and `page` ask for a part of it."""
        try:
            part = part_of(request.query)
            judged = await self._judged()
            whole = {"at": self._now(), "version": __version__, "well": all(health.well for _, health in judged)}
            return await self._apart(status_json, whole, judged, part, self._awaited())
        except ConfigurationError as error:
            return problem(400, str(error))
        except NotFound as error:
            return problem(404, str(error))
        except StateError as error:
            return self._unreadable(error)

    async def front(self, request: web.Request) -> web.Response:
        """The status page: a card for each of a few accounts, or of the one that is asked for; else a table."""
        frame = frame_of(request, self._now())
        try:
            judged = await self._judged()
            asked = request.query.get("account")
            chosen = [pair for pair in judged if asked in {None, "", pair[0].account}]
            if asked and not chosen:
                return problem(404, f"there is no account {asked[:100]!r}")
            if len(chosen) > page.CARDS:
                newest = await self._gathering.changes({status.account: status for status, _ in judged})
                view = page.TableView(
                    order=request.query.get("sort", ""), find=request.query.get("find", "").strip()[:100],
                    page=whole_number(request.query.get("page", "1")) or 1,
                )  # fmt: skip
                made = partial(page.overview, judged, newest, frame, view)
            else:
                notice = "" if self._waiting() is None else self._away(None)
                shown = []
                for status, health in chosen:
                    watched = self._accounts[status.account]
                    whole = await self._gathering.in_full(status, watched)
                    shown.append(page.Shown(whole, health, watched, await self._gathering.account(whole, watched)))
                made = partial(page.status, shown, frame, notice)
        except StateError as error:
            return html(request, page.away(self._away(error), frame, starting=self._waiting() is not None), 503)
        return html(request, await self._apart(made))

    async def runbook(self, request: web.Request) -> web.Response:
        """What each alert means, and what to type."""
        return html(request, page.handbook(frame_of(request, self._now())))

    def _away(self, error: StateError | None) -> str:
        return waiting.sentence(self._waiting(), error, self._now())

    def _awaited(self) -> dict[str, Any]:
        awaited = self._waiting()
        return {} if awaited is None else {"waiting": awaited}

    def _unreadable(self, error: StateError) -> web.Response:
        return answer({"well": False, "error": self._away(error)} | self._awaited(), 503)

    @web.middleware
    async def _for_browsers(self, request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401  as above
        """Tell people in a browser as a page what programs are told as JSON: that they are refused, or ask in vain."""
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            response = problem(404, f"there is nothing at {request.path[:100]}")
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            response = problem(405, f"{request.path[:100]} is asked by {allowed} alone", {"Allow": allowed})
        reads_html = "text/html" in request.headers.get("Accept", "")
        is_page = request.path not in OPEN_PATHS and not request.path.startswith("/api/")
        if not is_page or response.content_type != "application/json" or not reads_html:
            return response
        sentence = json.loads(response.text or "{}")["error"] if isinstance(response, web.Response) else ""
        shown = html(request, page.refused(sentence, frame_of(request, self._now())), response.status)
        shown.headers.update({name: value for name, value in response.headers.items() if name in _KEPT})
        return shown

    async def _judged(self) -> list[tuple[AccountStatus, Health]]:
        found = await self._statuses()
        pairs = [(self._accounts[status.account], status) for status in found if status.account in self._accounts]
        now = self._now()
        return await self._apart(lambda: [(one.named(status), one.health(status, now)) for one, status in pairs])

    async def _apart(self, make: Callable[..., T], *arguments: object) -> T:
        """Make a document in a thread, one at a time: of hundreds of accounts it takes long, and the loop must turn."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, make, *arguments)


@asynccontextmanager
async def serve(site: Web, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve until the block ends; gives the address listened on (port 0 takes a free one).

    Raises:
        AddressTaken: another process listens there.
        ConfigurationError: the address cannot be listened on.

    """
    connections = Connections(most_connections())
    # A question whose client has gone is dropped: it would spend the request budget for nobody.
    runner = web.AppRunner(
        site.application(Access(host, site.tokens, site.metrics_need_token), connections),
        access_log=None, shutdown_timeout=2.0, handler_cancellation=True, lingering_time=2.0,
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            listening = await listen(host, port)
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror or error
            kind = AddressTaken if error.errno == errno.EADDRINUSE else ConfigurationError
            raise kind(
                f"http.listen: cannot listen on {host}:{port}: {reason}; choose another, or end what listens there"
            ) from error
        assert runner.server is not None  # noqa: S101  for the type checker: it was set up
        for each in listening:
            stack.callback(each.close)
        tasks = [asyncio.create_task(connections.accept(each, runner.server)) for each in listening]
        tasks.append(asyncio.create_task(connections.end_idle()))
        stack.push_async_callback(_cancelled, tasks)
        bound = listening[0].getsockname()
        yield bound[0], bound[1]


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_SECURITY)
