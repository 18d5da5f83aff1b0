"""A request and its answer, as plain values: what passes between the simulated API and its sockets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

PREFIX = "/2.0"
"""What every path of the API begins with."""

JSON = "application/json; charset=utf-8"


class Manner(StrEnum):
    """How an answer travels; all but WHOLE are faults of the network."""

    WHOLE = "whole"
    SILENT = "silent"
    """Never a byte."""
    STALL = "stall"
    """Headers and half the body, then nothing."""
    DRIP = "drip"
    """A byte at a time, `pause` seconds apart."""
    RESET = "reset"
    """The connection is reset before a byte."""
    TRUNCATE = "truncate"
    """The connection closes in the middle of the body."""
    STREAM = "stream"
    """Whole, but its length is not announced."""
    SLOW = "slow"
    """Whole, after `pause` seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    def first(self, key: str) -> str | None:
        """Give the first query parameter of this name."""
        return next((value for name, value in self.query if name == key), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API says, and how the network carries it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    manner: Manner = Manner.WHOLE
    pause: float = 0.0
    """Seconds, for DRIP and SLOW."""


def json_answer(status: int, value: object, **headers: str) -> Answer:
    """Answer with a JSON value; a keyword such as `Retry_After` is a header."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, msgspec.json.encode(value), {"Content-Type": JSON, **named})
