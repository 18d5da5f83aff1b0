"""Every metric, declared once: from here the metrics are made and docs/metrics.md is written."""

from dataclasses import dataclass

PREFIX = "stocksync_"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric: `kind` is gauge, counter, histogram or info; `name` is without the prefix."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as scraped."""
        return PREFIX + self.name


def _gauge(name: str, text: str, *labels: str) -> Declared:
    return Declared(name, "gauge", ("account", *labels), text)


def _counter(name: str, text: str, *labels: str) -> Declared:
    return Declared(name, "counter", ("account", *labels), text)


METRICS: tuple[Declared, ...] = (
    _gauge("last_attempt_timestamp_seconds", "When a poll cycle last started, whatever became of it."),
    _gauge("last_complete_cycle_timestamp_seconds", "When a complete cycle last ended: the lag is now minus this."),
    _gauge("last_push_timestamp_seconds", "When a cycle that wrote to the target last ended."),
    _gauge("last_target_contact_timestamp_seconds", "When the target last answered a cycle, changes or not."),
    _gauge("target_answers", "1 where the target answered the last cycle that came as far as asking it, else 0."),
    _gauge(
        "oldest_unpushed_timestamp_seconds",
        "Since when the oldest figure is on its way; absent: none. What the target refuses is in quarantine instead.",
    ),
    _gauge("oldest_unknown_timestamp_seconds", "Since when Qoyod shows no figure for the oldest unknown cell."),
    _gauge("held_since_timestamp_seconds", "Since when the oldest held plan waits for a person; absent: none waits."),
    _gauge(
        "oldest_quarantined_timestamp_seconds", "Since when the oldest row in quarantine is set aside; absent: none."
    ),
    _gauge("last_audit_timestamp_seconds", "When the target was last compared with the snapshot to the end."),
    _gauge("clock_skew_seconds", "How far Qoyod's clock stood before this machine's in the last cycle."),
    _gauge("token_expiry_timestamp_seconds", "When the current OAuth access token expires; absent for static keys."),
    _gauge("poll_interval_seconds", "The configured time between two polls."),
    _gauge("audit_interval_seconds", "The configured time between two audits."),
    _gauge(
        "freshness_limit_seconds", "The lag above which the account is stale: twice the interval plus the deadline."
    ),
    _counter("cycles_total", "Cycles that ended, by verdict of the reading and outcome.", "verdict", "outcome"),
    Declared(
        "cycle_duration_seconds",
        "histogram",
        ("account", "phase"),
        "Seconds a cycle spent in a phase; the phase `all` is the whole cycle.",
        _SECONDS,
    ),
    _gauge("consecutive_failures", "Cycles that failed since the last one that did not."),
    _counter("pages_read_total", "Pages of the product list that were read."),
    _gauge("catalogue_products", "Products in the catalogue, as Qoyod counts them (`total`)."),
    _gauge("products", "Known products: tracked, untracked, missing from the list, gone, bad (unreadable).", "state"),
    _gauge(
        "cells",
        "Cells (product and location): managed (a figure of ours stands there), unknown, held, quarantined, unmapped.",
        "state",
    ),
    _gauge("account_unwell", "1 where the account is not well for this reason, else 0.", "reason"),
    _counter("changes_applied_total", "Changes that the target acknowledged, by kind.", "kind"),
    _counter(
        "discrepancies_total",
        "Figures bent by the policy (negative floored, fraction rounded) or altered by the target.",
        "kind",
    ),
    _gauge("drift_cells", "Cells that differed from the target at the last audit, by cause.", "cause"),
    _gauge("drift_units", "Sum of those differences in units of stock, by cause.", "cause"),
    _gauge("target_rows_lost", "Rows gone from the target at the last audit, where more than guards.deleted; else 0."),
    _gauge("guard_open", "Changes that a guard holds until a person decides; 0: the guard holds nothing.", "guard"),
    _counter("cross_check_total", "Products compared by id with their list row, by result.", "result"),
    _counter(
        "http_requests_total", "Requests sent to Qoyod; code is the status or what went wrong.", "endpoint", "code"
    ),
    Declared(
        "http_request_duration_seconds",
        "histogram",
        ("account", "endpoint"),
        "Seconds until Qoyod had answered a request.",
        _REQUEST_SECONDS,
    ),
    _gauge("rate_budget_available", "Requests that could be sent at once now within the account's budget."),
    _counter("throttled_total", "Answers 429: Qoyod asked to slow down."),
    _gauge("authorized", "1 while Qoyod accepts the credential, 0 while it does not."),
    _gauge("leader", "1 where this process writes for the account, 0 where it stands by."),
    _gauge(
        "lease_epoch", "The epoch of the lease under which this process last wrote; each change of writer adds one."
    ),
    _counter("scheduler_skips_total", "Triggers that were not followed, by reason.", "reason"),
    Declared("heartbeat_timestamp_seconds", "gauge", (), "When the event loop last turned."),
    Declared(
        "state_read_timestamp_seconds",
        "gauge",
        (),
        "When the state database was last read for these metrics; before the first time: when the process started.",
    ),
    Declared(
        "event_loop_lag_seconds",
        "histogram",
        (),
        "How late a task that asked for one second of sleep was woken.",
        _LAG_SECONDS,
    ),
    Declared(
        "notices_total",
        "counter",
        ("channel", "result"),
        "Messages to people, by how ([notify] urls_file's schemes, heartbeat): sent, failed (an attempt), dropped.",
    ),
    Declared("notices_unsent", "gauge", ("channel",), "Messages to people that wait to be sent."),
    Declared("log_lines_dropped_total", "counter", (), "Log lines that were lost because nobody read standard error."),
    Declared(
        "config_last_reload_successful",
        "gauge",
        (),
        "1 where the configuration as last read is in force; 0: it was refused on SIGHUP, and the one before stays.",
    ),
    Declared("build_info", "info", ("version", "python"), "The running version; always 1."),
)
