"""The ways a person writes a value: durations, shares, names, addresses."""

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from stocksync.known_secrets import remember

_LONGEST_TITLE = 100
_SPELLING = "\u200c\u200d\u200e\u200f\u061c"
"""Signs nobody sees that are part of how a word is written: of Persian, of emoji, of text in two directions."""
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})")
_HIGHEST_PORT = 65535


def check_that(holds: Callable[[Any], object], text: str) -> AfterValidator:
    """Refuse a value of which a condition does not hold, with the sentence that says what it must be."""

    def check(value: object) -> object:
        if not holds(value):
            raise ValueError(text)
        return value

    return AfterValidator(check)


def parse_duration(value: object) -> timedelta:
    """Read "30s", "15m", "1h", "90d", "1h30m".

    Raises:
        ValueError: it is none.

    """
    if isinstance(value, timedelta):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise ValueError('must be a duration in quotes, such as "30s", "15m", "1h" or "90d"')
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)))
    except OverflowError as error:
        raise ValueError("is longer than any duration can be") from error


def show_duration(value: timedelta) -> str:
    """Give a duration as it is written in the configuration."""
    seconds = value.total_seconds()
    if not seconds:
        return "0s"
    unit = next((unit for unit in ("d", "h", "m", "s") if seconds % _UNITS[unit] == 0), "ms")
    return f"{seconds / _UNITS[unit]:g}{unit}" if unit != "ms" else f"{round(seconds * 1000)}ms"


def parse_share(value: object) -> float:
    """Read "15%" as 0.15; a number from 0 to 1 is one already.

    Raises:
        ValueError: it is neither.

    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    match = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    share = float(match[1]) / 100 if match else 2.0
    if share > 1:
        raise ValueError('must be a share in quotes from "0%" to "100%", such as "15%"')
    return share


def show_share(value: float) -> str:
    """Give a share as it is written in the configuration."""
    return f"{round(value * 100, 6):g}%"


def split_listen(value: str) -> tuple[str, int]:
    """Split "host:port".

    Raises:
        ValueError: it is none.

    """
    match = _LISTEN.fullmatch(value)
    if not match or int(match["port"]) > _HIGHEST_PORT:
        raise ValueError('must be host:port, such as "127.0.0.1:9464", "0.0.0.0:9464" or "[::]:9464"')
    return match["six"] or match["host"], int(match["port"])


def _check_listen(value: str) -> str:
    split_listen(value)
    return value


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return named and parts.scheme in {"https", "http"} and not re.search(r"\s", value)


def _check_web_address(value: str) -> str:
    if not value:
        return value
    if not _is_web_address(value):
        raise ValueError("must be a web address such as https://api.qoyod.com/2.0")
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("must hold no credential: that belongs into [accounts.auth]")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path: no ? and no #")
    return value.rstrip("/")


def _check_secret_address(value: str) -> str:
    if value and not _is_web_address(value):
        raise ValueError("must be a web address such as https://hc-ping.com/…")
    remember(value)
    return value


def _check_title(value: str) -> str:
    if len(value) > _LONGEST_TITLE or "\n" in value:
        raise ValueError(f"must be one line of at most {_LONGEST_TITLE} characters")
    for sign in value:
        if unicodedata.category(sign)[0] == "C" and sign not in _SPELLING:
            raise ValueError(f"must not hold U+{ord(sign):04X}: remove it")
    title = value.strip()
    if title and not title.strip(_SPELLING):
        raise ValueError("must hold a sign that people see")
    return title


def _decode_mapping(value: Any) -> Any:  # noqa: ANN401  whatever stood there is for the field's own type to judge
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("must be a table; in an environment variable, a JSON object") from error


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(show_duration)]
PositiveDuration = Annotated[Duration, check_that(lambda value: value > timedelta(0), "must be longer than zero")]
Share = Annotated[float, BeforeValidator(parse_share), PlainSerializer(show_share)]
Listen = Annotated[str, AfterValidator(_check_listen)]
WebAddress = Annotated[str, AfterValidator(_check_web_address)]
SecretAddress = Annotated[str, AfterValidator(_check_secret_address), Field(repr=False)]
ProxyUrl = Annotated[
    str,
    check_that(
        lambda value: value in {"", "env"} or _is_web_address(value),
        'must be a proxy such as http://proxy:3128, or "env" (SOCKS is not supported)',
    ),
    Field(repr=False),
]
Variable = Annotated[
    str,
    # A secret pasted here by mistake is refused without being shown; most would fail this pattern.
    check_that(
        re.compile(r"(?:[A-Z_][A-Z0-9_]{0,127})?").fullmatch,
        "must be the NAME of an environment variable, in capitals, not its value",
    ),
    Field(repr=False),
]
DatabaseUrl = Annotated[str, Field(repr=False)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
OptionalWord = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,64}$")]
Title = Annotated[str, AfterValidator(_check_title)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Table = BeforeValidator(_decode_mapping)
