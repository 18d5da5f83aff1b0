import contextlib
import json
import logging
import sys
import warnings
from pathlib import Path

import pytest
import structlog

from stocksync.core.events import (
    AuditEnded,
    BudgetSpent,
    CycleEnded,
    CycleStarted,
    LeaseChanged,
    RequestEnded,
    RequestThrottled,
    TriggerSkipped,
)
from stocksync.core.model import Verdict
from stocksync.core.report import Counts, Outcome
from stocksync.errors import ConfigurationError
from stocksync.observe import log_events
from stocksync.observe.event_log import EventLog, cycle_line
from stocksync.observe.logs import configure
from stocksync.observe.masking import masked, masked_text
from stocksync.observe.repeats import REPEATING, Repeats


class Stream:
    """What went to standard error so far."""

    def __init__(self, capsys):
        self._capsys, self._heard = capsys, ""

    def getvalue(self):
        self._heard += self._capsys.readouterr().err
        return self._heard


def broken(text):
    raise ValueError(text)


@pytest.fixture
def stream(capsys):
    """Standard error; afterwards logging is as it was."""
    heard = Stream(capsys)
    root, before = logging.getLogger(), dict(structlog.get_config())
    handlers, level = root.handlers[:], root.level
    yield heard
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    for name in ("aiohttp", "apscheduler", "sqlalchemy", "alembic", "asyncio", "aiosqlite", "stamina"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_the_libraries_lines_are_one_stream_of_json(stream):
    configure("json", "info")
    structlog.contextvars.bind_contextvars(account="main", cycle_id="c-1")
    structlog.get_logger("stocksync.run").info("batch_written", cells=3)
    logging.getLogger("apscheduler.scheduler").warning("Run time of job %s was missed", "poll")
    ours, theirs = lines(stream)
    assert ours["event"] == "batch_written"
    assert ours["cells"] == 3
    assert theirs["event"] == "Run time of job poll was missed"
    for line in (ours, theirs):
        assert (line["account"], line["cycle_id"]) == ("main", "c-1")
        assert line["timestamp"].endswith("Z")
        assert line["level"]
        assert line["logger"]


def test_what_libraries_tell_of_themselves_is_heard_only_at_debug(stream):
    configure("json", "info")
    logging.getLogger("sqlalchemy.engine").info("SELECT secrets")
    structlog.get_logger("a").debug("hidden")
    assert stream.getvalue() == ""
    configure("json", "debug")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    structlog.get_logger("a").debug("shown")
    assert [line["event"] for line in lines(stream)] == ["SELECT 1", "shown"]


def test_a_warning_of_python_is_a_log_line(stream):
    configure("json", "info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old function", DeprecationWarning, stacklevel=1)
    assert "old function" in lines(stream)[0]["event"]


def test_people_get_readable_lines_without_colours_when_it_is_no_terminal(stream):
    configure("console", "info")
    structlog.get_logger("stocksync.run").warning("page_failed", account="main", page=7)
    assert "page_failed" in stream.getvalue()
    assert "account=main" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


def test_auto_is_json_when_it_is_no_terminal(stream):
    configure("auto", "info")
    structlog.get_logger("a").info("started")
    assert lines(stream)[0]["event"] == "started"


def test_auto_is_readable_on_a_terminal(stream, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure("auto", "info")
    structlog.get_logger("a").info("started")
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("given", [{"level": "loud"}, {"format": "xml"}])
def test_an_unknown_level_or_format_is_a_configuration_error(given):
    with pytest.raises(ConfigurationError, match=r"log\.(level|format): one of .*(loud|xml)"):
        configure(**given)


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_reach_no_line_by_key_nested_in_text_or_in_a_traceback(stream, style):
    configure(style, "info")
    log = structlog.get_logger("stocksync")
    secret = "s3cr3t-Value-123"
    log.warning("a", api_key=secret, headers={"API-KEY": secret, "Authorization": f"Bearer {secret}"})
    log.warning("b", url=f"postgresql://shop:{secret}@db:5432/shop", client_secret=secret, tries=[{"token": secret}])
    logging.getLogger("aiohttp").error("cannot connect to mysql://u:%s@host/db", secret)
    try:
        broken(f"connection to postgresql://shop:{secret}@db/shop refused, Authorization: Bearer {secret}")
    except ValueError:
        log.exception("c", error=ValueError(f"password={secret}"))
    assert secret not in stream.getvalue()
    assert "postgresql://shop:***@db:5432/shop" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "token_expiry is 2026-08-31",
        "http://127.0.0.1:9464/metrics",
        "http://a/b?c=d and e@f.example",
        "Unauthorized - Invalid API key",
        "set QOYOD_API_KEY_FILE to a file",
    ],
)
def test_what_is_no_secret_stays(text):
    assert masked_text(text) == text


def test_an_empty_secret_is_seen_to_be_empty_and_telling_names_of_files_stay():
    line = {"token": "", "secret_env": "QOYOD_API_KEY", "token_url": "https://q/oauth", "api_key": None}
    assert masked(line) == line


def test_a_hostile_value_can_forge_no_line_and_move_no_cursor(stream):
    configure("console", "info")
    structlog.get_logger("a").info("row_set_aside", sku="x\n2026 [error] forged\x1b[2J\u202e")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_an_exception_is_text_with_its_frames(stream):
    configure("json", "info")
    try:
        broken("broken")
    except ValueError:
        structlog.get_logger("a").exception("failed")
    line = lines(stream)[0]
    assert "ValueError: broken" in line["exception"]
    assert "test_observe_logs.py" in line["exception"]


def test_an_object_that_json_does_not_know_is_logged_by_its_repr(stream):
    configure("json", "info")
    structlog.get_logger("a").info("odd", what=object(), fine=1)
    assert lines(stream)[0]["what"].startswith("<object object")
    assert lines(stream)[0]["fine"] == 1


def test_the_line_of_a_cycle_holds_what_the_design_lists(ex):
    line = cycle_line(ex.cycle(phases={"read": 9.50001}, reasons=("x" * 300,) + ("why",) * 9, plan_id="7f3a"))
    assert line["reasons"] == ["x" * 200, "why", "why", "why", "why", "and 5 more"]
    del line["reasons"]
    assert line == {
        "account": "main",
        "cycle_id": "c-1",
        "outcome": "done",
        "verdict": "complete",
        "pages": 20,
        "read": 5200,
        "unchanged": 5100,
        "applied": 90,
        "held": 0,
        "quarantined": 2,
        "ignored": 8,
        "unpushed": 0,
        "seconds": 21.4,
        "phases": {"read": 9.5},
        "plan": "7f3a",
    }


@pytest.fixture
def captured():
    with structlog.testing.capture_logs() as events:
        yield events


def test_an_account_that_fails_and_recovers_says_so_once_each(ex, captured):
    book = EventLog()
    for _ in range(20):
        book.hear(CycleEnded(ex.cycle(outcome=Outcome.FAILED, verdict=Verdict.PARTIAL, error="502", counts=Counts())))
    for outcome in (Outcome.STOPPED, Outcome.DONE, Outcome.DONE):
        book.hear(CycleEnded(ex.cycle(outcome=outcome)))
    states = [event for event in captured if event["event"] != "cycle"]
    assert [event.get("consecutive") for event in states] == [1, 2, 4, 8, 16, None]
    assert states[-1] == {"event": "account_recovered", "account": "main", "after": 20, "log_level": "info"}
    assert len(captured) == 23 + 6


@pytest.mark.parametrize(
    ("outcome", "level"),
    [(Outcome.DONE, "info"), (Outcome.STOPPED, "info"), (Outcome.HELD, "warning"), (Outcome.DEADLINE, "warning")],
)
def test_a_cycle_that_failed_or_holds_something_is_a_warning(ex, captured, outcome, level):
    EventLog().hear(CycleEnded(ex.cycle(outcome=outcome)))
    assert captured[0]["log_level"] == level


def test_a_change_of_writer_is_said_once(captured):
    book = EventLog()
    for epoch in (None, None, 7, 7, None):
        book.hear(LeaseChanged("main", epoch))
    book.hear(LeaseChanged("main", 8))
    book.hear(LeaseChanged("main", None, ending=True))
    said = ["stands_by", "became_writer", "stands_by", "became_writer", "lease_given_back"]
    assert [event["event"] for event in captured] == said


def test_a_storm_of_429s_is_a_few_lines(ex, captured):
    book = EventLog()
    for _ in range(100):
        book.hear(RequestThrottled("main", 60.0))
    book.hear(CycleEnded(ex.cycle()))
    book.hear(RequestThrottled("main", 60.0))
    assert [event["count"] for event in captured if event["event"] == "throttled"] == [1, 2, 4, 8, 16, 32, 64, 1]


def test_audits_requests_and_skips_are_said_at_their_level(ex, captured):
    book = EventLog()
    book.hear(CycleStarted("main", ex.NOW))
    book.hear(BudgetSpent("main", 3.0))
    book.hear(AuditEnded(ex.audit()))
    book.hear(AuditEnded(ex.audit(error="target away")))
    book.hear(TriggerSkipped("main", "running"))
    book.hear(RequestEnded("main", "products", "200", 0.1234))
    assert [(event["event"], event["log_level"]) for event in captured] == [
        ("audit", "warning"),
        ("audit_failed", "warning"),
        ("trigger_skipped", "debug"),
        ("request", "debug"),
    ]


def test_people_are_spared_tables_of_tables_and_the_names_of_our_modules(stream):
    configure("console", "info")
    deep = {"state": {"url": "sqlite:///stocksync.db"}, "accounts": []}
    structlog.get_logger("stocksync.app.daemon").info("starting", version="1", accounts=["a", "b"], configuration=deep)
    structlog.get_logger("stocksync.observe").info("cycle", phases={"read": 9.5, "write": 1})
    told = stream.getvalue()
    assert "{" not in told
    assert "stocksync.app" not in told
    assert "sqlite" not in told
    assert "accounts='a, b'" in told
    assert "phases='read 9.5, write 1'" in told


def test_the_page_about_the_log_is_what_the_code_says():
    assert set(log_events.logged()) == set(log_events.MEANINGS), "say in log_events.py what each means"
    assert set(log_events.MEANINGS) >= REPEATING
    page = Path(__file__).parents[2] / "docs/logs.md"
    assert page.read_text(encoding="utf-8") == log_events.render(), (
        "python -m stocksync.observe.log_events > docs/logs.md"
    )


def test_what_lasts_is_said_seldom_and_its_end_once():
    clock, said = [0.0], []
    repeats = Repeats(lambda: clock[0])

    def line(event, **fields):
        with contextlib.suppress(structlog.DropEvent):
            said.append(dict(repeats(None, "", {"event": event, "account": "main", **fields})))

    for _ in range(40):
        line("page_failed", page=7, reason="503")
        line("cycle", outcome="failed")
    for _ in range(3):
        line("cycle", outcome="done")
    assert [one.get("met", 1) for one in said if one["event"] == "page_failed"] == [1, 2, 4, 8, 16, 32]
    assert [one["over"] for one in said if "over" in one] == [{"page_failed": 40}]
    assert sum(one["event"] == "cycle" for one in said) == 43, "no other event is ever left out"
