"""Addresses of people, as apprise URLs: https://github.com/caronc/apprise/wiki lists what there is."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from stocksync.errors import ConfigurationError
from stocksync.known_secrets import remember
from stocksync.observe.notice_message import Message

_TELLING = 8
"""Characters from which on a part of an address may be a token."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=://)", re.IGNORECASE)

Sender = tuple[str, Callable[[Message], bool]]
"""What it is called in log and metrics, its scheme; and who sends, which blocks."""


def senders(text: str, key: str) -> list[Sender]:
    """Read one address a line; empty lines and those that begin with # are left out.

    Raises:
        ConfigurationError: with every line that is no address, none of them shown, or apprise is not installed.

    """
    try:
        apprise: Any = import_module("apprise")
    except ImportError as error:
        raise ConfigurationError(f"{key}: apprise is not installed; type: pip install 'stocksync[notify]'") from error
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        hide(url)
        scheme = _SCHEME.match(url)
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True) if scheme else None
        if scheme is None or service is None:
            shown = f"{scheme[0]}://…" if scheme else "no scheme"
            problems.append(f"{key}: line {number} ({shown}) is no apprise URL, or a part of it is missing")
        else:
            found.append((scheme[0].lower(), _sending(apprise, service)))
    if problems or not found:
        raise ConfigurationError(problems or [f"{key}: the file names nobody: one apprise URL a line"])
    return found


def _sending(apprise: Any, service: Any) -> Callable[[Message], bool]:  # noqa: ANN401  apprise's own types
    one = apprise.Apprise()
    one.add(service)

    def send(message: Message) -> bool:
        return bool(
            one.notify(title=message.title, body=message.body or message.title, body_format=apprise.NotifyFormat.TEXT)
        )

    return send


def hide(url: str) -> None:
    """Let nothing ever show this address, nor a part of it that may be a token."""
    parts = urlsplit(url)
    host, _, port = parts.netloc.rpartition("@")[2].partition(":")
    pieces = [parts.password or "", *parts.path.split("/"), *re.split("[&=]", parts.query)]
    # Where the provider is known by the scheme, a token stands where others have a host, or a port.
    pieces += [port] if not port.isdigit() else []
    pieces += [host] if "." not in host and any(sign.isdigit() for sign in host) else []
    remember(url, *{piece for each in pieces for piece in (each, unquote(each)) if len(piece) >= _TELLING})
