import asyncio
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_server import RULES, asked, prometheus

from stocksync.core.events import CredentialJudged, CycleEnded, LeaseChanged, RequestEnded
from stocksync.observe.declared import METRICS
from stocksync.observe.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULES_TEXT = RULES.read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES_TEXT)
EXPRESSIONS = re.sub(r"annotations:\n\s+summary: .*", "", RULES_TEXT)
SERIES = {
    metric.full_name + suffix
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}


def promtool(ex, *arguments, standard_input=None):
    return subprocess.run(
        [ex.required("promtool"), *arguments],
        input=standard_input,
        capture_output=True,
        cwd=RULES.parent,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "stocksync.rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "stocksync.test.yml"),
    ],
)
def test_promtool_accepts_the_rules_and_their_tests(ex, arguments):
    done = promtool(ex, *arguments)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_promtool_finds_no_fault_with_our_metrics(ex):
    metrics = Metrics([ex.MAIN])
    metrics.hear(CycleEnded(ex.cycle(changes={"update": 1}, guards={"zeroed": 2}, phases={"read": 1.0})))
    metrics.remember(ex.status(audit=ex.audit(), oldest_unpushed=ex.NOW, oldest_unknown=ex.NOW), ex.NOW)
    metrics.hear(RequestEnded("main", "products", "200", 0.1))
    metrics.hear(LeaseChanged("main", 7))
    metrics.hear(CredentialJudged("main", True, ex.NOW))
    metrics.looped(ex.NOW, 0.0)
    done = promtool(ex, "check", "metrics", standard_input=metrics.render()[0])
    said = (done.stdout + done.stderr).decode()
    assert [line for line in said.splitlines() if line.startswith("stocksync_")] == []


@pytest.mark.parametrize(
    "name", [metric.full_name for metric in METRICS if "timestamp" in metric.name or "heartbeat" in metric.name]
)
def test_every_timestamp_is_used_by_an_alert_rule(name):
    assert re.search(rf"\b{name}\b", EXPRESSIONS)


def test_the_rules_use_no_metric_that_is_not_exported():
    used = set(re.findall(r"\bstocksync_[a-z_]+", EXPRESSIONS))
    assert used - SERIES == set()


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_and_explained(alert):
    assert f"alertname: {alert}\n" in (RULES.parent / "stocksync.test.yml").read_text(encoding="utf-8")
    assert f"\n### {alert}\n" in (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_the_page_explains_no_alert_that_does_not_exist():
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    explained = re.findall(r"^### (Stocksync\w+)$", page, re.MULTILINE)
    assert sorted(explained) == sorted(ALERTS)


async def eventually(ask):
    for _ in range(300):
        found = await ask()
        if found:
            return found
        await asyncio.sleep(0.1)
    pytest.fail("it did not come within 30 s")


async def test_a_real_prometheus_scrapes_us_and_fires_the_staleness_alert(ex, tmp_path):
    program = ex.required("prometheus")
    status = ex.status(last_complete=ex.ago(days=100), last_attempt=ex.ago(days=100), held=ex.plan())
    async with (
        ex.opened(status, now=lambda: datetime.now(UTC)) as site,
        prometheus(program, site.url.removeprefix("http://"), tmp_path) as server,
    ):

        async def value(expression):
            found = await asked(site.session, f"{server}/api/v1/query", query=expression)
            return found["result"] if found else None

        async def alerts():
            found = await asked(site.session, f"{server}/api/v1/alerts")
            names = {alert["labels"]["alertname"] for alert in (found or {"alerts": []})["alerts"]}
            return names if {"StocksyncStale", "StocksyncHeld", "StocksyncWatchdog"} <= names else None

        up = await eventually(lambda: value('up{job="stocksync"} == 1'))
        assert len(up) == 1
        held = await value('stocksync_guard_open{guard="zeroed"}')
        assert held[0]["value"][1] == "3"
        names = await eventually(alerts)
        assert names.isdisjoint({"StocksyncLoopStuck", "StocksyncStateUnreadable", "StocksyncClockWrong"})
        rules = await asked(site.session, f"{server}/api/v1/rules")
        health = {rule["name"]: rule["health"] for group in rules["groups"] for rule in group["rules"]}
        assert sorted(health) == sorted(ALERTS)
        assert set(health.values()) <= {"ok", "unknown"}


INHIBITIONS = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text(encoding="utf-8")


def inhibit_rules():
    """Pairs of patterns: which alerts keep which silent."""
    found = re.findall(r'(?:source|target)_matchers:\s*(?:\[|\n\s+- )alertname=~?"([^"]+)"', INHIBITIONS)
    return list(zip(found[::2], found[1::2], strict=True))


def inhibited(alert, by):
    return any(re.fullmatch(source, by) and re.fullmatch(target, alert) for source, target in inhibit_rules())


def test_amtool_accepts_the_alertmanager_configuration(ex):
    path = ROOT / "deploy/alertmanager/alertmanager.yml"
    done = subprocess.run(
        [ex.required("amtool"), "check-config", str(path)], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("alert", ["StocksyncStale", "StocksyncFailing", "StocksyncUnpushed"])
def test_what_follows_from_a_refused_credential_is_inhibited_by_it(alert):
    assert inhibited(alert, by="StocksyncUnauthorized")
    assert not inhibited("StocksyncUnauthorized", by=alert)


def test_the_alertmanager_configuration_names_no_alert_that_does_not_exist():
    named = set(re.findall(r"Stocksync\w+", INHIBITIONS))
    for group in re.findall(r"Stocksync\(([\w|]+)\)", INHIBITIONS):
        named |= {f"Stocksync{name}" for name in group.split("|")}
    assert named <= set(ALERTS)
