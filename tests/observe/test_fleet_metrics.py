"""What `serve` shows of thousands of accounts: fifteen series each at most, and sums."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from stocksync.core.drift import AuditReport
from stocksync.core.events import CycleEnded, RequestEnded
from stocksync.core.guards import Guard
from stocksync.core.health import Watched
from stocksync.core.held_plan import HeldChange, HeldPlan
from stocksync.core.model import Change, Verdict
from stocksync.core.report import CycleReport, Outcome
from stocksync.core.status import AccountStatus
from stocksync.observe.fleet_metrics import FleetMetrics

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
NAMES = ("one", "two")


NEEDED = {
    "last_attempt_timestamp_seconds", "last_complete_cycle_timestamp_seconds", "last_push_timestamp_seconds",
    "last_target_contact_timestamp_seconds", "last_audit_timestamp_seconds", "poll_interval_seconds",
    "audit_interval_seconds", "freshness_limit_seconds", "consecutive_failures", "target_answers",
    "oldest_unpushed_timestamp_seconds", "oldest_quarantined_timestamp_seconds", "oldest_unknown_timestamp_seconds",
}  # fmt: skip
"""What alerts look at account by account, where nothing is held and nothing differs."""


def status(name: str) -> AccountStatus:
    """Give an account of which everything is told that can be."""
    change = Change(11, "MAIN", "SKU", Decimal(1), Decimal(0), ((3, Decimal(0)),))
    held = HeldPlan("p", name, AT, {Guard.ZEROED: "many"}, (HeldChange(change, (Guard.ZEROED,)),))
    report = CycleReport(name, "c", AT, verdict=Verdict.COMPLETE, outcome=Outcome.DONE, total=200)
    report.cells = {"managed": 400, "unknown": 3, "held": 1, "quarantined": 2, "unmapped": 4}
    report.products = {"tracked": 190, "untracked": 10}
    audit = AuditReport(name, AT, ended_at=AT, cells={"edited_in_target": 2, "missing_in_target": 5})
    return AccountStatus(
        account=name, owner="", epoch=1, leased_until=None, last_attempt=AT, last_complete=AT, last_push=AT,
        oldest_unpushed=None, consecutive_failures=2, cycles=[report], held=held, quarantine=[], quarantined=2,
        unknown=3, oldest_unknown=None, cells=407, products=200, audit=audit, refused=2, target_contact=AT,
        unauthorized_since=AT, oldest_quarantined=AT,
    )  # fmt: skip


@pytest.fixture
def metrics() -> FleetMetrics:
    made = FleetMetrics(
        [Watched(name, timedelta(minutes=15), timedelta(minutes=10), timedelta(hours=1)) for name in NAMES]
    )
    for name in NAMES:
        made.remember(status(name), AT)
    return made


def samples(metrics: FleetMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = list(plain(metrics.render()[0].decode()))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name.removeprefix("stocksync_"), frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_account_has_fifteen_series_at_most_and_the_rest_is_summed(metrics: FleetMetrics) -> None:
    found = samples(metrics)
    of_one = [name for name, labels in found if ("account", "one") in labels]
    assert len(of_one) == 15
    assert {"last_attempt_timestamp_seconds", "freshness_limit_seconds", "held_since_timestamp_seconds"} <= set(of_one)
    assert found["cells", frozenset({("state", "managed")})] == 800
    assert found["catalogue_products", frozenset()] == 400
    assert found["authorized", frozenset({("account", "one")})] == 0
    assert found["account_unwell", frozenset({("account", "one"), ("reason", "credential_refused")})] == 1


def test_what_alerts_look_at_is_there_and_what_is_not_wrong_is_not(metrics: FleetMetrics) -> None:
    ageing = replace(
        status("one"), held=None, audit=replace(status("one").audit, cells={}), refused=0, unauthorized_since=None,
        oldest_unpushed=AT - timedelta(hours=1), oldest_unknown=AT - timedelta(days=8),
    )  # fmt: skip
    metrics.remember(ageing, AT)
    found = samples(metrics)
    assert {name for name, labels in found if ("account", "one") in labels} == NEEDED
    assert found["target_answers", frozenset({("account", "one")})] == 1
    assert found["oldest_unpushed_timestamp_seconds", frozenset({("account", "one")})] == AT.timestamp() - 3600
    differing = replace(ageing, oldest_unpushed=None, oldest_unknown=None, oldest_quarantined=None, refused=2)
    differing = replace(differing, held=status("one").held, audit=replace(status("one").audit, lost=4))
    metrics.remember(differing, AT)
    found = samples(metrics)
    assert found["cells", frozenset({("account", "one"), ("state", "held")})] == 1
    assert found["drift_cells", frozenset({("account", "one"), ("cause", "missing_in_target")})] == 7
    assert found["target_rows_lost", frozenset({("account", "one")})] == 4


def test_an_account_that_left_leaves_no_series(metrics: FleetMetrics) -> None:
    metrics.retire("one")
    assert not [name for name, labels in samples(metrics) if ("account", "one") in labels]


def test_it_is_open_metrics_where_that_is_asked_for(metrics: FleetMetrics) -> None:
    body, kind = metrics.render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert len(list(openmetrics(body.decode()))) > 30


def test_what_happens_in_the_process_is_counted_for_all_accounts_together(metrics: FleetMetrics) -> None:
    for name in NAMES:
        metrics.hear(RequestEnded(name, "products", "200", 0.1))
        metrics.hear(CycleEnded(replace(status(name).cycles[0], ended_at=AT)))
    found = samples(metrics)
    assert found["http_requests_total", frozenset({("endpoint", "products"), ("code", "200"), ("account", "")})] == 2
    assert not [name for name, labels in found if name == "cycles_total" and ("account", "one") in labels]
