"""Makes the dashboards of deploy/grafana/dashboards: classic JSON, which every Grafana from 10 on loads.

`python deploy/grafana/make.py` writes them; a test compares, and takes every query to a Prometheus.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
RUNBOOK = "${runbook}"
RUNBOOK_PLACE = "https://docs.example/stocksync/runbook.md"
"""Where you publish docs/runbook.md: the variable `runbook` of both dashboards."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
OK, WARN, BAD = "green", "yellow", "red"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and what its lines are called."""

    expr: str
    legend: str = ""
    instant: bool = False
    table: bool = False

    def json(self, ref: str) -> Json:
        """Give it as a target of a panel."""
        return {
            "refId": ref,
            "datasource": SOURCE,
            "expr": self.expr,
            "legendFormat": self.legend or "__auto",
            "instant": self.instant or self.table,
            "range": not (self.instant or self.table),
            "format": "table" if self.table else "time_series",
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: `steps` are (from which value on, colour); `alerts` name sections of the runbook."""

    title: str
    kind: str
    queries: Sequence[Query]
    description: str
    unit: str = "short"
    width: int = 12
    height: int = 8
    steps: Sequence[tuple[float | None, str]] = ((None, OK),)
    alerts: Sequence[str] = ()
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    none: str = "none"
    """Shown where there is nothing to show."""

    def json(self, number: int, x: int, y: int) -> Json:
        """Give it as Grafana loads it, at its place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [query.json(chr(ord("A") + index)) for index, query in enumerate(self.queries)],
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "noValue": self.none,
                    "color": {"mode": "thresholds" if self.kind in {"stat", "table"} else "palette-classic"},
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [{"value": value, "color": color} for value, color in self.steps],
                    },
                    "custom": self.custom,
                },
                "overrides": list(self.overrides),
            },
            "options": {**_OPTIONS.get(self.kind, {}), **self.options},
            "links": [
                {"title": f"Runbook: {alert}", "url": f"{RUNBOOK}#{alert.lower()}", "targetBlank": True}
                for alert in self.alerts
            ]
            or [{"title": "Runbook", "url": RUNBOOK, "targetBlank": True}],
            "transformations": list(self.transformations),
        }


_CALCULATED = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, Json] = {
    "stat": {"reduceOptions": _CALCULATED, "colorMode": "background", "graphMode": "none", "textMode": "auto"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "state-timeline": {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
    },
    "table": {"showHeader": True, "footer": {"show": False, "reducer": [], "countRows": False}},
}
_STACKED = {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 30}
_LINES_WITH_LIMIT = {"fillOpacity": 5, "thresholdsStyle": {"mode": "line"}}
_DASHED = {
    "matcher": {"id": "byRegexp", "options": ".*limit.*"},
    "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}}],
}

A = 'account=~"$account"'
OURS = "and on (instance, job) last_over_time(stocksync_heartbeat_timestamp_seconds[1h])"
"""Of our processes alone, whatever their job is called; one that is down is ours for another hour."""
NOT_HELD = ',cause!="held"'
PHASES = ',phase!="all"'


def age(metric: str) -> str:
    """Give the seconds since an instant, by account; no line where there is no such instant."""
    return f"time() - min by (account) (stocksync_{metric}_timestamp_seconds{{{A}}})"


def newest(metric: str) -> str:
    """Give the seconds since the newest instant that any process tells, by account."""
    return f"time() - max by (account) (stocksync_{metric}_timestamp_seconds{{{A}}})"


def gauge(metric: str, by: str = "account", labels: str = "") -> str:
    """Give a gauge that several processes tell alike."""
    return f"max by ({by}) (stocksync_{metric}{{{A}{labels}}})"


def rate(metric: str, by: str, labels: str = "") -> str:
    """Give events a second."""
    return f"sum by ({by}) (rate(stocksync_{metric}{{{A}{labels}}}[$__rate_interval]))"


def rise(metric: str, by: str, labels: str = "") -> str:
    """Give events within each step."""
    return f"sum by ({by}) (increase(stocksync_{metric}{{{A}{labels}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str, labels: str = "") -> str:
    """Give a quantile of a histogram."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', f'{by}, le', labels)})"


def cells(*states: str) -> str:
    """Give the cells in these states, by account and state."""
    return gauge("cells", "account, state", f',state=~"{"|".join(states)}"')


def count_of(condition: str) -> str:
    """Give for how many accounts a condition holds, 0 where for none."""
    return f"count({condition}) or vector(0)"


LIMIT = gauge("freshness_limit_seconds")
LAG = newest("last_complete_cycle")

OVERVIEW = [
    Panel("Accounts not well", "stat", [Query(count_of(f"max by (account) (stocksync_account_unwell{{{A}}}) == 1"))],
          "Accounts that are stale, refused by Qoyod, or whose figures are refused or unknown.",
          width=4, height=4, steps=((None, OK), (1, BAD)), alerts=("StocksyncStale", "StocksyncRefused")),
    Panel("Longest lag against its limit", "stat", [Query(f"max(({LAG}) / ({LIMIT}))")],
          "Age of the oldest last complete poll, as a share of what it may be; from 100 % on it is stale.",
          "percentunit", 4, 4, ((None, OK), (0.75, WARN), (1, BAD)), ("StocksyncStale",)),
    Panel("Changes held", "stat", [Query(f"sum({cells('held')})")],
          "Cells that wait for a person: `stocksync plan` shows them.",
          width=4, height=4, steps=((None, OK), (1, WARN)), alerts=("StocksyncHeld", "StocksyncHeldLong")),
    Panel("Figures refused", "stat",
          [Query(f"sum({cells('quarantined')}) / clamp_min(sum({cells('managed')}), 1)")],
          "Share of the cells whose rows are set aside in quarantine.",
          "percentunit", 4, 4, ((None, OK), (0.001, WARN), (0.05, BAD)), ("StocksyncQuarantine", "StocksyncRefused")),
    Panel("Credentials refused", "stat",
          [Query(count_of(f'max by (account) (stocksync_account_unwell{{{A},reason="credential_refused"}}) == 1'))],
          "Accounts whose credential Qoyod refuses.",
          width=4, height=4, steps=((None, OK), (1, BAD)), alerts=("StocksyncUnauthorized",)),
    Panel("Accounts without a writer", "stat", [Query(count_of(f'{gauge("leader")} == 0'))],
          "Accounts for which no process writes.",
          width=4, height=4, steps=((None, OK), (1, BAD)), alerts=("StocksyncNoWriter", "StocksyncTwoWriters")),
    Panel("Accounts", "table",
          [Query(LAG, table=True), Query(LIMIT, table=True), Query(f"({LAG}) / ({LIMIT})", table=True),
           Query(gauge("consecutive_failures"), table=True),
           Query(gauge("cells", labels=',state="managed"'), table=True),
           Query(gauge("cells", labels=',state="held"'), table=True),
           Query(gauge("cells", labels=',state="quarantined"'), table=True),
           Query(gauge("cells", labels=',state="unknown"'), table=True),
           Query(f"sum by (account) ({gauge('drift_cells', 'account, cause', NOT_HELD)})", table=True),
           Query(f"sum by (account) (stocksync_leader{{{A}}})", table=True)],
          "One line an account, the oldest first; its name leads to the account's own dashboard.",
          width=24, height=9, alerts=("StocksyncStale",),
          steps=((None, "transparent"),),
          transformations=(
              {"id": "merge", "options": {}},
              {"id": "organize", "options": {
                  "excludeByName": {"Time": True}, "indexByName": {},
                  "renameByName": {"Value #A": "lag", "Value #B": "limit", "Value #C": "of limit",
                                   "Value #D": "failures", "Value #E": "cells", "Value #F": "held",
                                   "Value #G": "refused", "Value #H": "unknown", "Value #I": "drift",
                                   "Value #J": "writers"}}},
          ),
          options={"sortBy": [{"displayName": "of limit", "desc": True}]},
          overrides=(
              {"matcher": {"id": "byRegexp", "options": "lag|limit"}, "properties": [{"id": "unit", "value": "s"}]},
              {"matcher": {"id": "byName", "options": "of limit"}, "properties": [
                  {"id": "unit", "value": "percentunit"},
                  {"id": "custom.cellOptions", "value": {"type": "color-background"}},
                  {"id": "thresholds", "value": {"mode": "absolute", "steps": [
                      {"value": None, "color": OK}, {"value": 0.75, "color": WARN}, {"value": 1, "color": BAD}]}}]},
              {"matcher": {"id": "byName", "options": "account"}, "properties": [
                  {"id": "links", "value": [{"title": "This account", "url":
                   "/d/stocksync-account?var-account=${__value.raw}&${datasource:queryparam}&${__url_time_range}"}]}]},
          )),
    Panel("Lag against its limit", "timeseries", [Query(LAG, "{{account}}"), Query(LIMIT, "{{account}} limit")],
          "Seconds since the last complete poll ended. Above the dashed line the account is stale.",
          "s", alerts=("StocksyncStale", "StocksyncNotPolling"), overrides=(_DASHED,)),
    Panel("Cycles by outcome", "timeseries", [Query(rise("cycles_total", "outcome"), "{{outcome}}")],
          "What became of the cycles: done, held, failed, deadline, stopped and so on.",
          custom=_STACKED, alerts=("StocksyncFailing",)),
    Panel("Readings by verdict", "timeseries", [Query(rise("cycles_total", "verdict"), "{{verdict}}")],
          "complete, or why not: inconsistent, partial, empty; none: nothing was read.",
          custom=_STACKED, alerts=("StocksyncReadingsDoubtful",)),
    Panel("Changes written", "timeseries", [Query(rise("changes_applied_total", "kind"), "{{kind}}")],
          "Changes that the targets acknowledged, by kind.", custom=_STACKED, alerts=("StocksyncQuiet",)),
    Panel("Held, refused, unknown", "timeseries",
          [Query(f"sum by (state) ({cells('held', 'quarantined', 'unknown', 'unmapped')})",
                 "{{state}}")],
          "Cells that are not kept equal, and why.",
          alerts=("StocksyncHeld", "StocksyncQuarantine", "StocksyncUnknownAgeing")),
    Panel("Drift", "timeseries",
          [Query(f'sum by (cause) ({gauge("drift_cells", "account, cause")})', "{{cause}}")],
          "Cells in which the target differed from the snapshot at the last audit, by cause.",
          alerts=("StocksyncDrift", "StocksyncTargetLostRows")),
    Panel("Oldest change not yet written", "timeseries", [Query(age("oldest_unpushed"), "{{account}}")],
          "For how long the oldest known change waits; no line: none waits.", "s",
          steps=((None, OK), (2400, BAD)), custom=_LINES_WITH_LIMIT, alerts=("StocksyncUnpushed",)),
    Panel("Budget left", "timeseries", [Query(gauge("rate_budget_available"), "{{account}}")],
          "Requests that could be sent at once now.", alerts=("StocksyncThrottled",)),
    Panel("Throttling", "timeseries", [Query(rise("throttled_total", "account"), "{{account}}")],
          "Answers 429 of Qoyod.", steps=((None, OK), (10, WARN)), alerts=("StocksyncThrottled",)),
    Panel("Errors", "timeseries",
          [Query(rise("http_requests_total", "account, code", ',code!~"2.."'), "{{account}} {{code}}")],
          "Requests to Qoyod that brought no answer to work with: status, or what went wrong.",
          alerts=("StocksyncFailing", "StocksyncUnauthorized")),
    Panel("Processes", "timeseries",
          [Query(f"sum by (instance) (up {OURS})", "{{instance}} up"),
           Query(f"sum by (instance) (stocksync_leader{{{A}}})", "{{instance}} writes for")],
          "Which processes run, and for how many accounts each writes.",
          alerts=("StocksyncDown", "StocksyncNoWriter")),
    Panel("Event loop", "timeseries",
          [Query("histogram_quantile(0.99, sum by (instance, le)"
                 " (rate(stocksync_event_loop_lag_seconds_bucket[$__rate_interval])))", "{{instance}} woken late"),
           Query("time() - stocksync_heartbeat_timestamp_seconds", "{{instance}} last turned"),
           Query("time() - stocksync_state_read_timestamp_seconds", "{{instance}} state last read")],
          "How late tasks are woken, when the loop last turned, and when the state was last read.",
          "s", steps=((None, OK), (1, WARN)), alerts=("StocksyncLoopStuck", "StocksyncStateUnreadable")),
    Panel("Configuration and log", "timeseries",
          [Query("1 - stocksync_config_last_reload_successful", "{{instance}} reload refused"),
           Query("sum by (instance) (increase(stocksync_log_lines_dropped_total[$__rate_interval]))",
                 "{{instance}} log lines lost")],
          "1 while the configuration that was read last is refused; log lines that nobody read.",
          steps=((None, OK), (1, WARN)), alerts=("StocksyncReloadRefused",)),
    Panel("Messages to people", "timeseries",
          [Query("stocksync_notices_unsent", "{{instance}} {{channel}} waiting"),
           Query("sum by (channel, result) (increase(stocksync_notices_total[1h]))", "{{channel}} {{result}}")],
          "What [notify] has sent within an hour, and what waits to be sent.",
          steps=((None, OK), (1, WARN)), alerts=("StocksyncNoticesUnsent",)),
    Panel("Memory", "timeseries",
          [Query(f"process_resident_memory_bytes {OURS}", "{{instance}}")],
          "Resident memory of each process.", "bytes"),
]  # fmt: skip

ACCOUNT = [
    Panel("State", "state-timeline", [Query(gauge("account_unwell", "reason"), "{{reason}}")],
          "When the account was not well, by reason.", width=24, height=6,
          steps=((None, OK), (1, BAD)), alerts=("StocksyncStale", "StocksyncUnauthorized", "StocksyncRefused")),
    Panel("Lag against its limit", "timeseries", [Query(LAG, "lag"), Query(LIMIT, "limit"),
          Query(newest("last_attempt"), "since the last attempt"),
          Query(newest("last_push"), "since the last write"),
          Query(newest("last_target_contact"), "since the target answered")],
          "Seconds since the last complete poll, attempt, write and answer of the target.",
          "s", alerts=("StocksyncStale", "StocksyncTargetAway"), overrides=(_DASHED,)),
    Panel("Target", "state-timeline", [Query(gauge("target_answers"), "answers")],
          "1 where the target answered the last poll that came as far as asking it.", height=4, width=24,
          steps=((None, BAD), (1, OK)), alerts=("StocksyncTargetAway",)),
    Panel("Where a cycle's time goes", "timeseries",
          [Query(f"{rate('cycle_duration_seconds_sum', 'phase', PHASES)}"
                 f" / {rate('cycle_duration_seconds_count', 'phase', PHASES)}", "{{phase}}")],
          "Mean seconds of a cycle in each phase.", "s", custom=_STACKED, alerts=("StocksyncPollSlow",)),
    Panel("Duration of a cycle", "timeseries",
          [Query(quantile(0.5, "cycle_duration_seconds", "account", ',phase="all"'), "half of them"),
           Query(quantile(0.95, "cycle_duration_seconds", "account", ',phase="all"'), "95 %"),
           Query(gauge("poll_interval_seconds"), "interval, its limit")],
          "Half of the cycles, and 95 of 100, took no longer than this.", "s",
          alerts=("StocksyncPollSlow",), overrides=(_DASHED,)),
    Panel("Pages read", "timeseries", [Query(rate("pages_read_total", "account"), "pages a second"),
          Query(gauge("catalogue_products"), "products in the catalogue")],
          "Pages of the product list, and how many products Qoyod counts.",
          alerts=("StocksyncReadingsDoubtful",), overrides=(
              {"matcher": {"id": "byName", "options": "products in the catalogue"},
               "properties": [{"id": "custom.axisPlacement", "value": "right"}]},)),
    Panel("Latency of Qoyod", "timeseries",
          [Query(quantile(0.5, "http_request_duration_seconds", "endpoint"), "{{endpoint}} half"),
           Query(quantile(0.95, "http_request_duration_seconds", "endpoint"), "{{endpoint}} 95 %")],
          "Seconds until Qoyod had answered.", "s", alerts=("StocksyncPollSlow",)),
    Panel("Requests by code", "timeseries",
          [Query(rise("http_requests_total", "endpoint, code"), "{{endpoint}} {{code}}")],
          "Requests to Qoyod; code is the status or what went wrong.", custom=_STACKED,
          alerts=("StocksyncUnauthorized", "StocksyncThrottled")),
    Panel("Cells by state", "timeseries", [Query(gauge("cells", "state"), "{{state}}")],
          "managed: a figure of ours stands there; unknown, held, quarantined, unmapped: not, or not the newest.",
          custom=_STACKED, alerts=("StocksyncFiguresUnknown", "StocksyncQuarantine")),
    Panel("Products by state", "timeseries", [Query(gauge("products", "state"), "{{state}}")],
          "tracked, untracked, missing from the list, gone, unreadable.", custom=_STACKED,
          alerts=("StocksyncFiguresUnknown",)),
    Panel("How long things wait", "timeseries",
          [Query(age("oldest_unpushed"), "oldest unpushed change"), Query(age("held_since"), "oldest held plan"),
           Query(age("oldest_quarantined"), "oldest refused row"),
           Query(age("oldest_unknown"), "oldest unknown figure")],
          "No line: nothing waits.", "s", steps=((None, OK), (86400, WARN)), custom=_LINES_WITH_LIMIT,
          alerts=("StocksyncUnpushed", "StocksyncHeldLong", "StocksyncQuarantineAgeing", "StocksyncUnknownAgeing")),
    Panel("Changes written", "timeseries", [Query(rise("changes_applied_total", "kind"), "{{kind}}")],
          "Changes that the target acknowledged.", custom=_STACKED, alerts=("StocksyncQuiet",)),
    Panel("Held by guard", "timeseries", [Query(gauge("guard_open", "guard"), "{{guard}}")],
          "Changes that each guard holds until a person decides.", steps=((None, OK), (1, WARN)),
          alerts=("StocksyncHeld",)),
    Panel("Drift by cause", "timeseries", [Query(gauge("drift_cells", "cause"), "{{cause}}")],
          "Cells that differed at the last audit.",
          alerts=("StocksyncDrift", "StocksyncAuditOld")),
    Panel("Drift in units", "timeseries", [Query(gauge("drift_units", "cause"), "{{cause}}"),
          Query(gauge("target_rows_lost"), "rows lost")],
          "Sum of those differences, in units of stock; and rows gone from the target.",
          alerts=("StocksyncDrift", "StocksyncTargetLostRows")),
    Panel("Cross-checks", "timeseries", [Query(rise("cross_check_total", "result"), "{{result}}")],
          "Products compared by id with their row of the list.", custom=_STACKED,
          alerts=("StocksyncCrossCheckDiffers",)),
    Panel("Figures bent", "timeseries", [Query(rise("discrepancies_total", "kind"), "{{kind}}")],
          "By the policy (negative floored, fraction rounded), or altered by the target.", custom=_STACKED),
    Panel("Budget and throttling", "timeseries", [Query(gauge("rate_budget_available"), "requests that could go now"),
          Query(rise("throttled_total", "account"), "answers 429")],
          "What is left of poll.requests_per_minute, and Qoyod's own word.", alerts=("StocksyncThrottled",)),
    Panel("Triggers not followed", "timeseries", [Query(rise("scheduler_skips_total", "reason"), "{{reason}}")],
          "running: the cycle before had not ended; standby: another process writes.", alerts=("StocksyncPollSlow",)),
    Panel("Writer", "timeseries", [Query(gauge("lease_epoch"), "epoch"),
          Query(f"sum by (account) (stocksync_leader{{{A}}})", "writers")],
          "Each change of the writer adds one to the epoch. One writer: as it should be.",
          alerts=("StocksyncNoWriter", "StocksyncTwoWriters", "StocksyncWriterFlapping")),
    Panel("Credential and clock", "timeseries", [Query(gauge("authorized"), "accepted"),
          Query(gauge("token_expiry_timestamp_seconds") + " - time()", "token expires in (s)"),
          Query(gauge("clock_skew_seconds"), "Qoyod's clock before ours (s)")],
          "1 while Qoyod accepts the credential; for OAuth also when the token expires.",
          alerts=("StocksyncUnauthorized", "StocksyncTokenExpired", "StocksyncClockSkew")),
    Panel("Since the last audit", "timeseries", [Query(newest("last_audit"), "since the last audit"),
          Query(gauge("audit_interval_seconds"), "interval, a third of its limit")],
          "Seconds since the target was last compared with the snapshot to the end.", "s",
          alerts=("StocksyncAuditOld",), overrides=(_DASHED,)),
    Panel("Failures in a row", "timeseries", [Query(gauge("consecutive_failures"), "failed cycles")],
          "Cycles that failed since the last one that did not.",
          steps=((None, OK), (3, WARN)), custom=_LINES_WITH_LIMIT, alerts=("StocksyncFailing",)),
]  # fmt: skip


def placed(panels: Sequence[Panel]) -> Iterator[Json]:
    """Put panels into rows, in order."""
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + height
        yield panel.json(number, x, y)
        x, height = x + panel.width, panel.height


def annotation(name: str, expr: str, title: str, color: str, *, dated: bool = False) -> Json:
    """Mark moments on every picture; `dated`: the value is the moment, in milliseconds."""
    return {
        "name": name, "enable": True, "datasource": SOURCE, "iconColor": color, "expr": expr, "step": "1m",
        "titleFormat": title, "tagKeys": "account", "useValueForTime": dated, "hide": False,
    }  # fmt: skip


def variables(*, several: bool) -> Json:
    """Let the reader choose the data source and the accounts."""
    chosen = {"text": ["All"], "value": ["$__all"]} if several else {"text": "", "value": ""}
    names = "label_values(stocksync_poll_interval_seconds, account)"
    return {"list": [
        {"name": "datasource", "type": "datasource", "label": "Data source", "query": "prometheus", "hide": 0,
         "refresh": 1, "options": [], "current": {}, "multi": False, "includeAll": False},
        {"name": "account", "type": "query", "label": "Account", "datasource": SOURCE, "query": names, "hide": 0,
         "refresh": 2, "sort": 1, "options": [], "current": chosen, "multi": several, "includeAll": several},
        {"name": "runbook", "type": "textbox", "label": "Runbook", "query": RUNBOOK_PLACE, "hide": 2, "options": [],
         "current": {"text": RUNBOOK_PLACE, "value": RUNBOOK_PLACE}},
    ]}  # fmt: skip


def dashboard(uid: str, title: str, description: str, panels: Sequence[Panel], *, several: bool) -> Json:
    """Give a whole dashboard."""
    held = f"min by (account) (stocksync_held_since_timestamp_seconds{{{A}}}) * 1000"
    taken = f"changes((max by (account) (stocksync_lease_epoch{{{A}}}))[2m:15s]) > 0"
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["stocksync"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": [
            annotation("Held plans", held, "a plan waits for a person", "orange", dated=True),
            annotation("Take-overs", taken, "another process became the writer", "purple"),
        ]},
        "templating": variables(several=several),
        "links": [
            {"title": "stocksync", "type": "dashboards", "tags": ["stocksync"], "asDropdown": False,
             "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "",
             "url": ""},
            {"title": "Runbook", "type": "link", "url": RUNBOOK, "tags": [], "asDropdown": False, "icon": "doc",
             "includeVars": False, "keepTime": False, "targetBlank": True, "tooltip": "What each alert means"},
        ],
        "panels": list(placed(panels)),
    }  # fmt: skip


def dashboards() -> dict[str, str]:
    """Give the files and what is in them."""
    made = {
        "overview": dashboard("stocksync-overview", "stocksync: overview",
                              "All accounts: how fresh they are, what waits, and what writes.", OVERVIEW, several=True),
        "account": dashboard("stocksync-account", "stocksync: account",
                             "One account, from Qoyod's answers to the rows of the target.", ACCOUNT, several=False),
    }  # fmt: skip
    return {f"{name}.json": json.dumps(one, indent=1, ensure_ascii=False) + "\n" for name, one in made.items()}


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
