"""Whatever is logged, at whatever level and by whomever: no line shows a secret."""

import base64
import io
import json
import logging
from contextlib import redirect_stderr
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stocksync import known_secrets
from stocksync.errors import ConfigurationError, StateUnavailable
from stocksync.known_secrets import remember
from stocksync.observe.logs import configure

SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cf"]), min_size=7
).map(lambda text: text + "-")


@dataclass
class Holder:
    """An object that somebody logs."""

    secret: str
    whole: bytes


class Opaque:
    """An object that JSON does not know."""

    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return f"<Opaque of {self.secret!r}>"


def fail(secret):
    try:
        raise ValueError(f"cannot connect to mysql://shop:{quote(secret, safe='')}@db/shop")  # noqa: TRY301
    except ValueError as error:
        raise StateUnavailable(f"away, with {secret} and {secret!r}") from error


def plant(secret):
    """Log a secret in every way in which somebody might."""
    log, theirs = structlog.get_logger("stocksync.anything"), logging.getLogger("aiosqlite")
    basic = base64.b64encode(f"shop:{secret}".encode()).decode()
    log.info("as an event %s", secret, word=secret, nested={"a": [{secret: (secret,)}]}, data=secret.encode())
    log.debug("url", url=f"https://x/y?z={quote(secret)}&b=1", header=f"Basic {basic}", alone=basic)
    log.warning("objects", holder=Holder(secret, secret.encode()), opaque=Opaque(secret), error=ValueError(secret))
    log.info("json", body=json.dumps({"access_token": secret, "x": secret}), text=f"refresh_token={secret}")
    theirs.warning("executing %s with %r", "INSERT", ("main", secret))
    theirs.warning("not a number: %d", secret)
    logging.getLogger("sqlalchemy.engine.Engine").debug("Row %r", (secret,))
    try:
        fail(secret)
    except StateUnavailable as error:
        log.exception("failed", error=str(error))
        logging.getLogger("asyncio").exception("Task exception was never retrieved", exc_info=error)


@pytest.mark.usefixtures("logging_as_it_was")
@pytest.mark.parametrize("style", ["json", "console"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_no_line_shows_a_secret_that_was_read(style, secret):
    known_secrets.forget()
    remember(secret)
    with redirect_stderr(io.StringIO()) as stream:
        configure(style, "debug")
        plant(secret)
    told = stream.getvalue()
    assert told.count("\n") >= 7
    for written in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)):
        assert written not in told
    assert base64.b64encode(f"shop:{secret}".encode()).decode().rstrip("=") not in told


@given(secret=SECRETS)
@settings(deadline=None, max_examples=40)
def test_no_error_of_ours_shows_a_secret_that_was_read(secret):
    known_secrets.forget()
    remember(secret)
    error = ConfigurationError([f"state.url: the server says {secret}", f"and {quote(secret, safe='')}"])
    assert secret not in str(error) + "".join(error.problems)
    assert "***" in str(error)
    assert "***" in str(StateUnavailable(f"away: {secret}"))
