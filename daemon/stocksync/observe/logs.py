"""One stream of log lines on standard error, ours and the libraries' alike."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

from stocksync.core.jsonable import dumps
from stocksync.errors import ConfigurationError
from stocksync.observe import masking
from stocksync.observe.repeats import Repeats

Format = Literal["auto", "console", "json"]

_LEVELS = ("debug", "info", "warning", "error", "critical")
_LIBRARIES = {
    **dict.fromkeys(("aiohttp", "apscheduler", "alembic", "asyncio", "stamina"), logging.DEBUG),
    # Below this they log every value that is written or read: the refresh tokens in the state among them.
    "sqlalchemy": logging.INFO,
    "aiosqlite": logging.INFO,
    # What sends notices: addresses are secrets, and these log them whole.
    **dict.fromkeys(("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib"), logging.CRITICAL),
}
"""Their information is noise; at `debug` it is let through, down to these levels."""
_repeats = Repeats()
"""Of the process: a log that is configured anew says nothing again for that."""
_FIRST = ("timestamp", "level", "event", "account", "cycle_id")


def configure(format: Format = "auto", level: str = "info") -> None:  # noqa: A002  the configuration's own key
    """Send every log line to standard error: for people on a terminal, else as one JSON object a line.

    Raises:
        ConfigurationError: the format or the level is none.

    """
    if level.lower() not in _LEVELS:
        raise ConfigurationError(f"log.level: one of {', '.join(_LEVELS)} (got {level!r})")
    if format not in {"auto", "console", "json"}:
        raise ConfigurationError(f"log.format: one of auto, console, json (got {format!r})")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            _repeats,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _configure_stdlib(level.upper(), console=not speaks_json(format))


def speaks_json(format: Format) -> bool:  # noqa: A002  as above
    """Whether lines of this format are JSON where standard error leads now."""
    return format == "json" or (format == "auto" and not sys.stderr.isatty())


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _configure_stdlib(level: str, *, console: bool) -> None:
    last: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        masking.mask,
        masking.defuse,
    ]
    if console:
        colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
        last += [_for_people, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    else:
        last.append(structlog.processors.JSONRenderer(serializer=_serialise))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(), processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, lowest in _LIBRARIES.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(lowest if level == "DEBUG" else max(lowest, logging.WARNING))
    logging.captureWarnings(capture=True)
    # A line that cannot be formatted would be printed as it is, beside all this, with its arguments.
    logging.raiseExceptions = False


def _for_people(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what only machines read: the module a line of ours comes from, and tables of tables."""
    if str(event.get("logger", "")).startswith("stocksync"):
        del event["logger"]
    shown: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, list):
            shown[name] = ", ".join(map(str, value))
        elif not isinstance(value, Mapping):
            shown[name] = value
        elif not any(isinstance(inner, Mapping | list) for inner in value.values()):
            shown[name] = ", ".join(f"{key} {inner}" for key, inner in value.items())
    return shown


def _serialise(event: dict[str, Any], **_: object) -> str:
    event = {key: event[key] for key in _FIRST if key in event} | event
    try:
        return dumps(event).decode()
    except TypeError:  # somebody logged an object: a line with its repr is better than none
        for key, value in event.items():
            try:
                dumps(value)
            except TypeError:
                event[key] = masking.masked_text(repr(value))
        return dumps(event).decode()
