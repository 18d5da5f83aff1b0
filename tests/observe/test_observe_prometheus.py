import asyncio
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml
from prometheus_server import RULES, asked, prometheus

from stocksync.core.events import CredentialJudged, CycleEnded, LeaseChanged, RequestEnded
from stocksync.observe.declared import METRICS
from stocksync.observe.metrics import Metrics

ROOT = Path(__file__).parents[2]
RULES_TEXT = RULES.read_text(encoding="utf-8")
GROUPS = yaml.safe_load(RULES_TEXT)["groups"]
EVERY_RULE = [rule for group in GROUPS for rule in group["rules"]]
RULES_THAT_ALERT = [rule for rule in EVERY_RULE if "alert" in rule]
ALERTS = sorted({rule["alert"] for rule in RULES_THAT_ALERT})
EXPRESSIONS = "\n".join(rule["expr"] for rule in EVERY_RULE)
PLACE = "https://docs.example/stocksync/runbook.md"
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (Stocksync\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
WITHOUT_FIGURES = {"StocksyncWatchdog", "StocksyncAbsent"}
TESTS = ("stocksync.test.yml", "stocksync-long.test.yml")
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
        *(("test", "rules", name) for name in TESTS),
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
    used = set(re.findall(r"(?<!:)\bstocksync_[a-z_]+", EXPRESSIONS))
    assert used - SERIES == set()


def test_the_rules_record_what_they_use():
    recorded = {rule["record"] for rule in EVERY_RULE if "record" in rule}
    assert set(re.findall(r"\b\w+:[\w:]*\w", EXPRESSIONS)) == recorded


@pytest.mark.parametrize("rule", RULES_THAT_ALERT, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_how_bad_what_how_much_and_where_to_read_on(rule):
    said = rule["annotations"]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert "{{" not in said["summary"]
    assert rule["alert"] in WITHOUT_FIGURES or "{{" in said["description"]
    assert said["runbook_url"] == f"{PLACE}#{rule['alert'].lower()}"


def test_rules_and_runbook_are_equal():
    assert sorted(SECTIONS) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_the_runbook_says_what_it_means_what_to_look_at_what_to_type_and_when_to_leave_it(alert):
    assert re.findall(r"^- \*\*(.+?)\*\*", SECTIONS[alert], re.MULTILINE) == [
        "It means", "Look at", "Type", "Leave it",
    ]  # fmt: skip


@pytest.mark.parametrize("alert", [name for name in ALERTS if name != "StocksyncWatchdog"])
def test_every_alert_is_seen_silent_then_firing_then_silent(alert):
    assert any(re.search("s+f+s", looked_at(alert, test)) for test in every_rule_test())


@pytest.mark.parametrize("rule", RULES_THAT_ALERT, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_severity_of_an_alert_is_seen_firing(rule):
    expected = [
        alert["exp_labels"]["severity"]
        for test in every_rule_test() for look in test["alert_rule_test"]
        if look["alertname"] == rule["alert"] for alert in look["exp_alerts"]
    ]  # fmt: skip
    assert rule["labels"]["severity"] in expected


@cache
def every_rule_test():
    files = [(RULES.parent / name).read_text(encoding="utf-8") for name in TESTS]
    return [test for text in files for test in yaml.load(text, yaml.CSafeLoader)["tests"]]


def looked_at(alert, test):
    """One letter for each look at the alert, in the order of time: f as it fires, s as it is silent."""
    looks = [look for look in test["alert_rule_test"] if look["alertname"] == alert]
    return "".join("f" if look["exp_alerts"] else "s" for look in sorted(looks, key=minutes))


def minutes(look):
    number, unit = look["eval_time"][:-1], look["eval_time"][-1]
    return int(number) * {"m": 1, "h": 60}[unit]


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

        up = await eventually(lambda: value("up == 1"))
        assert len(up) == 1
        held = await value('stocksync_guard_open{guard="zeroed"}')
        assert held[0]["value"][1] == "3"
        names = await eventually(alerts)
        assert names.isdisjoint(
            {"StocksyncLoopStuck", "StocksyncStateUnreadable", "StocksyncClockWrong", "StocksyncTargetAway"}
        )
        rules = await asked(site.session, f"{server}/api/v1/rules")
        health = {rule["name"]: rule["health"] for group in rules["groups"] for rule in group["rules"]}
        assert sorted(health) == sorted({rule.get("alert") or rule["record"] for rule in EVERY_RULE})
        assert set(health.values()) <= {"ok", "unknown"}


ALERTMANAGER = ROOT / "deploy/alertmanager/alertmanager.yml"
CONFIGURED = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))


def amtool(ex, *arguments):
    command = [ex.required("amtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def matches(matchers, labels):
    for matcher in matchers:
        name, pattern = re.fullmatch(r'(\w+)=~?"([^"]+)"', matcher).groups()
        if not re.fullmatch(pattern, labels.get(name, "")):
            return False
    return True


def inhibited(alert, by, severity="critical"):
    return any(
        matches(rule["source_matchers"], {"alertname": by, "severity": severity})
        and matches(rule["target_matchers"], {"alertname": alert})
        for rule in CONFIGURED["inhibit_rules"]
    )


def test_amtool_accepts_the_alertmanager_configuration(ex):
    done = amtool(ex, "check-config", str(ALERTMANAGER))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "pager"), ("warning", "chat"), ("info", "digest"), ("none", "dead-man")]
)
def test_an_alert_goes_to_those_who_are_to_act_on_its_severity(ex, severity, receiver):
    one = next(rule["alert"] for rule in RULES_THAT_ALERT if rule["labels"]["severity"] == severity)
    labels = (f"alertname={one}", f"severity={severity}")
    done = amtool(ex, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert done.stdout.strip() == receiver, done.stderr


def test_what_can_wait_is_told_in_the_working_hours_of_riyadh():
    quiet = {
        route["receiver"]: route.get("active_time_intervals", []) for route in CONFIGURED["route"]["routes"]
    }  # fmt: skip
    assert quiet == {"dead-man": [], "pager": [], "chat": ["working-hours"], "digest": ["working-hours"]}
    (hours,) = CONFIGURED["time_intervals"][0]["time_intervals"]
    assert hours["location"] == "Asia/Riyadh"
    assert hours["weekdays"] == ["sunday:thursday"]


@pytest.mark.parametrize(
    ("cause", "consequences"),
    [
        ("Unauthorized", "Stale Failing Unpushed TargetAway NeverComplete"),
        ("TargetAway", "Stale Failing Unpushed NeverComplete"),
        ("Stale", "Failing Unpushed FreshnessBurnFast"),
        ("StateUnreadable", "Stale NotPolling NoWriter Failing TargetAway"),
        ("Down", "Stale NotPolling NoWriter StateUnreadable Absent AccountVanished"),
        ("Absent", "Stale NoWriter"),
        ("NoWriter", "Stale NotPolling Failing"),
        ("FleetNotPolling", "Stale NotPolling Unpushed"),
        ("Refused", "Quarantine QuarantineAgeing"),
        ("TargetLostRows", "Drift"),
        ("HeldLong", "Held"),
    ],
)
def test_one_cause_is_one_page(cause, consequences):
    for name in consequences.split():
        assert inhibited(f"Stocksync{name}", by=f"Stocksync{cause}")
        assert not inhibited(f"Stocksync{cause}", by=f"Stocksync{name}")


def test_one_of_two_processes_that_is_lost_silences_no_account():
    assert not inhibited("StocksyncStale", by="StocksyncDown", severity="warning")


def test_the_alertmanager_configuration_names_no_alert_that_does_not_exist():
    text = ALERTMANAGER.read_text(encoding="utf-8")
    named = set(re.findall(r"Stocksync\w+", text))
    for group in re.findall(r"Stocksync\(([\w|]+)\)", text):
        named |= {f"Stocksync{name}" for name in group.split("|")}
    assert named <= set(ALERTS)
