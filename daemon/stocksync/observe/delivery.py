"""Hands messages to whoever delivers them: off the loop, with a time-out, again and again until they are taken."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import structlog

from stocksync.observe.notice_message import Message

log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 900.0
_SECONDS = 30.0
_ATTEMPTS = 30
"""At one message, which takes six hours: it may be this one that is refused, and others wait behind it."""
_KEPT = 50
"""Messages that wait for one address at most: the oldest go first."""

T = TypeVar("T")


class Counts(Protocol):
    """Whoever counts what becomes of messages."""

    def noticed(self, by: str, result: str) -> None:
        """Count a message: sent, failed (an attempt), dropped."""

    def unsent(self, by: str, count: int) -> None:
        """Tell how many messages wait."""


class Channel:
    """One address: its own queue and its own pace, so that a slow one delays no other."""

    def __init__(
        self, name: str, send: Callable[[Message], bool], counts: Counts, seconds: float = _SECONDS,
        first_wait: float = _FIRST_WAIT,
    ) -> None:  # fmt: skip
        """Take who sends: it may block, and gives whether the message was taken."""
        self.name = name
        self._send, self._counts, self._seconds, self._first_wait = send, counts, seconds, first_wait
        self._waiting: deque[Message] = deque()
        self._new = asyncio.Event()
        self._attempt: asyncio.Future[bool] | None = None
        counts.unsent(name, 0)

    def post(self, message: Message) -> None:
        """Queue a message; nobody waits for it."""
        if len(self._waiting) == _KEPT:
            self._waiting.popleft()
            self._counts.noticed(self.name, "dropped")
        self._waiting.append(message)
        self._counts.unsent(self.name, len(self._waiting))
        self._new.set()

    async def run(self) -> None:
        """Send what is queued, in order, until cancelled."""
        wait, failures = self._first_wait, 0
        while True:
            if not self._waiting:
                self._new.clear()
                await self._new.wait()
            message = self._waiting[0]
            if await self._sent(message):
                self._done(message, "sent")
                log.info("notice_sent", by=self.name, title=message.title, after_failures=failures)
                wait, failures = self._first_wait, 0
                continue
            failures += 1
            self._counts.noticed(self.name, "failed")
            if failures == 1:
                log.warning("notice_not_sent", by=self.name, title=message.title, again_in_seconds=wait)
            if failures >= _ATTEMPTS:
                log.warning("notice_given_up", by=self.name, title=message.title, attempts=failures)
                self._done(message, "dropped")
                failures = 0
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _done(self, message: Message, result: str) -> None:
        if self._waiting and self._waiting[0] is message:
            self._waiting.popleft()
        self._counts.noticed(self.name, result)
        self._counts.unsent(self.name, len(self._waiting))

    async def _sent(self, message: Message) -> bool:
        """Try once. One that answered too late is asked for its answer first, or it would be sent twice."""
        if self._attempt is None:
            self._attempt = in_thread(lambda: self._send(message))
        done, _ = await asyncio.wait([self._attempt], timeout=self._seconds)
        if not done:
            return False
        attempt, self._attempt = self._attempt, None
        return attempt.exception() is None and attempt.result()


def in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Run what may block for ever in a thread that nobody waits for at the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None only where it is the result

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  it is handed on
            problem = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="notice", daemon=True).start()
    return future


class Delivery:
    """All addresses together."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        """Take them; nothing is sent before `run`."""
        self._channels = tuple(channels)

    def post(self, message: Message) -> None:
        """Queue a message for each."""
        for channel in self._channels:
            channel.post(message)

    def running(self) -> list[Coroutine[Any, Any, None]]:
        """Give what sends, to be run until the end."""
        return [channel.run() for channel in self._channels]
