import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import structlog

from stocksync.core.events import (
    AccountRetired,
    AuditEnded,
    BudgetSpent,
    CredentialJudged,
    CycleEnded,
    CycleStarted,
    Event,
    LeaseChanged,
    RequestEnded,
    RequestThrottled,
    TriggerSkipped,
)
from stocksync.core.health import Watched
from stocksync.core.report import Counts, Outcome
from stocksync.observe import reference
from stocksync.observe.bus import Bus
from stocksync.observe.declared import METRICS
from stocksync.observe.metrics import Metrics

ROOT = Path(__file__).parents[2]


@pytest.fixture
def metrics(ex):
    return Metrics([ex.MAIN, ex.OUTLET])


def value(metrics, name, account="main", **labels):
    return metrics.registry.get_sample_value(f"stocksync_{name}", {"account": account} | labels)


def everything_happens(hear, ex, account="main"):
    cycle = ex.cycle(
        account,
        changes={"update": 88, "zero": 2},
        discrepancies={"negative_floored": 1},
        cross_checks={"same": 3},
        guards={"zeroed": 12},
        open_guards={"zeroed": 12},
        phases={"read": 9.5, "apply": 3.0},
    )
    for event in (
        CycleStarted(account, ex.ago(minutes=4)),
        CycleEnded(cycle),
        AuditEnded(replace(ex.audit(), account=account)),
        TriggerSkipped(account, "running"),
        LeaseChanged(account, 7),
        RequestEnded(account, "products", "200", 0.2),
        RequestThrottled(account, 30.0),
        BudgetSpent(account, 12.5),
        CredentialJudged(account, accepted=True, expires_at=ex.NOW + timedelta(hours=1)),
    ):
        hear(event)


def test_every_declared_metric_is_set_by_something_and_nothing_else_is_exported(metrics, ex):
    everything_happens(metrics.hear, ex)
    told = {"oldest_unpushed": ex.NOW, "oldest_unknown": ex.NOW, "target_contact": ex.NOW, "audit": ex.audit()}
    told |= {"held": ex.plan(), "quarantine": (ex.quarantined("too long"),)}
    told["cycles"] = (ex.cycle(clock_skew_seconds=0.4),)
    metrics.remember(ex.status(catalogue={"tracked": 2000}, **told), ex.NOW)
    metrics.looped(ex.NOW, 0.001)
    metrics.noticed("mailto", "sent")
    metrics.unsent("mailto", 0)
    exported = {family.name: family for family in metrics.registry.collect()}
    ours = {name for name in exported if not name.startswith(("process_", "python_"))}
    assert ours == {metric.full_name.removesuffix("_total") for metric in METRICS}
    assert [name for name in ours if not exported[name].samples] == []


def test_metrics_are_made_nowhere_else():
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "daemon").rglob("*.py")
        if "prometheus_client" in path.read_text(encoding="utf-8")
    ]
    assert users == ["daemon/stocksync/observe/metrics.py"]


def test_no_label_names_a_product():
    assert {label for metric in METRICS for label in metric.labels} <= {
        "account",
        "channel",
        "verdict",
        "outcome",
        "phase",
        "state",
        "kind",
        "cause",
        "guard",
        "result",
        "endpoint",
        "code",
        "reason",
        "version",
        "python",
    }


def test_the_reference_page_is_what_the_table_renders():
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == reference.render()


def test_instants_are_exported_as_timestamps(metrics, ex):
    everything_happens(metrics.hear, ex)
    metrics.remember(ex.status(audit=ex.audit(), target_contact=ex.ago(minutes=2)), ex.NOW)
    ended = ex.ago(minutes=3, seconds=38)
    assert value(metrics, "last_attempt_timestamp_seconds") == ex.ago(minutes=4).timestamp()
    assert value(metrics, "last_complete_cycle_timestamp_seconds") == ended.timestamp()
    assert value(metrics, "last_push_timestamp_seconds") == ended.timestamp()
    assert value(metrics, "last_target_contact_timestamp_seconds") == ex.ago(minutes=2).timestamp()
    assert value(metrics, "last_audit_timestamp_seconds") == ex.ago(minutes=30).timestamp()
    assert value(metrics, "token_expiry_timestamp_seconds") == (ex.NOW + timedelta(hours=1)).timestamp()


def test_counts_of_a_cycle_are_added_up(metrics, ex):
    everything_happens(metrics.hear, ex)
    everything_happens(metrics.hear, ex)
    assert value(metrics, "cycles_total", verdict="complete", outcome="done") == 2
    assert value(metrics, "pages_read_total") == 40
    assert value(metrics, "changes_applied_total", kind="update") == 176
    assert value(metrics, "cycle_duration_seconds_count", phase="all") == 2
    assert value(metrics, "cycle_duration_seconds_sum", phase="read") == 19.0


def test_a_cycle_writes_no_gauge_that_the_state_owns(metrics, ex):
    status = ex.status(
        managed=5200,
        refused=7,
        catalogue={"tracked": 2000},
        consecutive_failures=2,
        held=ex.plan(3),
    )
    metrics.remember(status, ex.NOW)
    before = gauges(metrics)
    everything_happens(metrics.hear, ex)
    failed = ex.cycle(outcome=Outcome.FAILED, verdict=None, counts=Counts(), products={}, cells={"managed": 1})
    metrics.hear(CycleEnded(failed))
    after = gauges(metrics)
    told = {"authorized", "leader", "lease_epoch", "rate_budget_available", "token_expiry_timestamp_seconds"}
    assert {name for (name, _), _ in after.items() - before.items()} == {f"stocksync_{name}" for name in told}
    assert value(metrics, "cells", state="quarantined") == 7
    assert value(metrics, "cells", state="held") == 3
    assert value(metrics, "consecutive_failures") == 2


def gauges(metrics):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.registry.collect()
        if family.type == "gauge" and family.name.startswith("stocksync_")
        for sample in family.samples
    }


def test_what_the_state_never_saw_has_no_series(metrics, ex):
    metrics.remember(ex.status(last_complete=None, last_push=None, cycles=()), ex.NOW)
    assert value(metrics, "last_complete_cycle_timestamp_seconds") is None
    assert value(metrics, "last_push_timestamp_seconds") is None
    assert value(metrics, "catalogue_products") is None


def test_a_state_that_no_product_is_in_any_more_goes_to_zero(metrics, ex):
    metrics.remember(ex.status(catalogue={"tracked": 10, "odd": 3}), ex.NOW)
    metrics.remember(ex.status(catalogue={"tracked": 13}), ex.NOW)
    assert value(metrics, "products", state="odd") == 0


def test_each_fault_of_an_account_has_a_series_that_is_there_before_it(metrics, ex):
    metrics.remember(ex.status(), ex.NOW)
    assert value(metrics, "account_unwell", reason="credential_refused") == 0
    metrics.remember(ex.status(unauthorized_since=ex.ago(minutes=1), refused=5200), ex.NOW)
    assert value(metrics, "account_unwell", reason="credential_refused") == 1
    assert value(metrics, "account_unwell", reason="figures_refused") == 1
    assert value(metrics, "account_unwell", reason="stale") == 0


def test_a_failed_audit_leaves_the_last_drift(metrics, ex):
    metrics.remember(ex.status(audit=ex.audit()), ex.NOW)
    metrics.remember(ex.status(audit=replace(ex.audit(), cells={}, error="target away", ended_at=ex.NOW)), ex.NOW)
    assert value(metrics, "drift_cells", cause="edited_in_target") == 1
    assert value(metrics, "drift_units", cause="edited_in_target") == 12
    assert value(metrics, "last_audit_timestamp_seconds") == ex.ago(minutes=30).timestamp()


def test_a_written_backlog_takes_its_series_away(metrics, ex):
    metrics.remember(ex.status(oldest_unpushed=ex.ago(hours=1)), ex.NOW)
    assert value(metrics, "oldest_unpushed_timestamp_seconds") == ex.ago(hours=1).timestamp()
    metrics.remember(ex.status(), ex.NOW)
    assert value(metrics, "oldest_unpushed_timestamp_seconds") is None


def test_a_retired_account_takes_all_its_series_with_it_and_they_do_not_come_back(metrics, ex):
    everything_happens(metrics.hear, ex)
    everything_happens(metrics.hear, ex, "outlet")
    metrics.hear(AccountRetired("main"))
    everything_happens(metrics.hear, ex)
    metrics.remember(ex.status(), ex.NOW)
    accounts = {sample.labels.get("account") for family in metrics.registry.collect() for sample in family.samples}
    assert accounts == {None, "outlet"}
    metrics.hear(AccountRetired("main"))


def test_only_accounts_that_are_watched_have_series(metrics, ex):
    everything_happens(metrics.hear, ex)
    everything_happens(metrics.hear, ex, "outlet")
    everything_happens(metrics.hear, ex, "nobody")
    metrics.remember(replace(ex.status(), account="nobody"), ex.NOW)
    accounts = {sample.labels.get("account") for family in metrics.registry.collect() for sample in family.samples}
    assert accounts == {None, "main", "outlet"}


def test_a_label_that_takes_ever_new_values_ends_in_other(metrics):
    for number in range(1000):
        metrics.hear(RequestEnded("main", f"products/{number}", "200", 0.1))
    family = next(each for each in metrics.registry.collect() if each.name == "stocksync_http_requests")
    assert len(family.samples) == 61
    assert value(metrics, "http_requests_total", endpoint="other", code="200") == 940


def test_a_listener_that_fails_disturbs_nobody_and_is_named_once_for_each_kind_of_event(metrics, ex):
    def broken(_event):
        raise RuntimeError("a fault")

    bus = Bus(broken, metrics.hear)
    with structlog.testing.capture_logs() as logged:
        everything_happens(bus.publish, ex)
        everything_happens(bus.publish, ex)
    assert value(metrics, "throttled_total") == 2
    assert len({line["about"] for line in logged}) == len(logged) == len(get_args(Event)) - len([AccountRetired])


def test_the_unit_of_every_time_is_in_its_name():
    for metric in METRICS:
        if metric.kind == "histogram" or "timestamp" in metric.name:
            assert metric.name.endswith("_seconds")
        assert metric.help.endswith(".")
        assert re.fullmatch(r"[a-z_]+", metric.name)


def test_an_account_without_audits_has_no_audit_interval():
    metrics = Metrics([Watched("a", timedelta(minutes=1), timedelta(minutes=1))])
    assert value(metrics, "audit_interval_seconds", "a") is None
    assert value(metrics, "freshness_limit_seconds", "a") == 180
