"""What happens, as Prometheus metrics on a registry of our own."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder, generate_latest

from stocksync import __version__
from stocksync.core.drift import AuditReport, Cause
from stocksync.core.events import (
    AccountRetired,
    BudgetSpent,
    CredentialJudged,
    CycleEnded,
    Event,
    LeaseChanged,
    RequestEnded,
    RequestThrottled,
    TriggerSkipped,
)
from stocksync.core.guards import Guard
from stocksync.core.health import FAULTS, Watched, clock_skew
from stocksync.core.held_plan import by_guard
from stocksync.core.report import CycleReport
from stocksync.core.status import AccountStatus
from stocksync.observe.declared import METRICS

_MOST_WORDS = 60
"""Values one label of one metric may take in this process; what comes later is counted as `other`."""
_KINDS: Mapping[str, Any] = {"counter": Counter, "histogram": Histogram}
_CROSS_CHECKS = ("same", "moved", "different", "inconclusive")


class Metrics:
    """Hears events. It holds series only for the accounts it watches."""

    def __init__(self, accounts: Iterable[Watched] = (), lines_dropped: Callable[[], int] = int) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double every series, and no rule reads them
        self.registry = CollectorRegistry()
        self._made: dict[str, Any] = {}
        for metric in METRICS:
            options = {"buckets": metric.buckets} if metric.buckets else {}
            made = _KINDS.get(metric.kind, Gauge)(
                metric.full_name, metric.help, metric.labels, registry=self.registry, **options
            )
            self._made[metric.name] = made
        self._words: dict[tuple[str, str], set[str]] = {}
        self._accounts: dict[str, Watched] = {}
        self._lines_dropped, self._lines_counted = lines_dropped, 0
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._made["build_info"].labels(__version__, platform.python_version()).set(1)
        # Never read counts from the start, or a state that is away from then on would alert as unread since 1970.
        self._made["state_read_timestamp_seconds"].set_to_current_time()
        self.reloaded(well=True)
        for account in accounts:
            self.watch(account)

    def reloaded(self, *, well: bool) -> None:
        """Note whether the configuration that was read last is in force."""
        self._made["config_last_reload_successful"].set(int(well))

    def watch(self, account: Watched) -> None:
        """Begin to hold series for an account."""
        self._accounts[account.name] = account
        self._set("poll_interval_seconds", account.interval.total_seconds(), account.name)
        self._set("freshness_limit_seconds", account.limit.total_seconds(), account.name)
        if account.audit_interval is not None:
            self._set("audit_interval_seconds", account.audit_interval.total_seconds(), account.name)
        # A counter that first appears at 1 has no increase: rules would miss the first event.
        self._add("pages_read_total", 0, account.name)
        self._add("throttled_total", 0, account.name)
        for result in _CROSS_CHECKS:
            self._add("cross_check_total", 0, account.name, result)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Give what is scraped, and its content type, as the `Accept` header asks."""
        # Not told by the log itself: it must wait for nobody, and nobody for it.
        before, self._lines_counted = self._lines_counted, self._lines_dropped()
        self._made["log_lines_dropped_total"].inc(self._lines_counted - before)
        try:
            encode, content_type = choose_encoder(accept)
            return encode(self.registry), content_type
        except (ValueError, TypeError):  # a version that is no number
            return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def hear(self, event: Event) -> None:
        """Count what happens; when cycles and audits were, every process reads from the state (`remember`)."""
        match event:
            case CycleEnded(report):
                self._cycle(report)
            case TriggerSkipped(account, reason):
                self._add("scheduler_skips_total", 1, account, reason)
            case LeaseChanged(account, epoch):
                self._set("leader", int(epoch is not None), account)
                if epoch is not None:
                    self._set("lease_epoch", epoch, account)
            case RequestEnded(account, endpoint, code, seconds):
                self._add("http_requests_total", 1, account, endpoint, code)
                self._time("http_request_duration_seconds", seconds, account, endpoint)
            case RequestThrottled(account):
                self._add("throttled_total", 1, account)
            case BudgetSpent(account, available):
                self._set("rate_budget_available", available, account)
            case CredentialJudged(account, accepted, expires_at):
                self._set("authorized", int(accepted), account)
                self._instant("token_expiry_timestamp_seconds", account, expires_at)
            case AccountRetired(account):
                self.retire(account)
            case _:
                pass

    def _cycle(self, report: CycleReport) -> None:
        """Count what a cycle did and how long it took."""
        account = report.account
        verdict = report.verdict.value if report.verdict else "none"
        self._add("cycles_total", 1, account, verdict, report.outcome.value)
        self._add("pages_read_total", report.pages, account)
        for phase, seconds in report.phases.items():
            self._time("cycle_duration_seconds", seconds, account, phase)
        if report.ended_at is not None:
            self._time("cycle_duration_seconds", (report.ended_at - report.started_at).total_seconds(), account, "all")
        for name, counts in (
            ("changes_applied_total", report.changes),
            ("discrepancies_total", report.discrepancies),
            ("cross_check_total", report.cross_checks),
        ):
            for word, count in counts.items():
                self._add(name, count, account, word)

    def _drift(self, report: AuditReport) -> None:
        """Show an audit; one that failed leaves the last figures."""
        if report.error or report.ended_at is None:
            return
        none: dict[str, float] = {cause.value: 0 for cause in Cause}
        self._fill("drift_cells", report.account, none | report.cells)
        self._set("target_rows_lost", report.lost, report.account)
        self._fill("drift_units", report.account, none | {key: float(units) for key, units in report.units.items()})

    def remember(self, status: AccountStatus, at: datetime) -> None:
        """Take over what the state knows, so that a restart or a stand-by forgets nothing; `at`: when it was read."""
        account = status.account
        self._made["state_read_timestamp_seconds"].set(at.timestamp())
        for name, instant in instants(status):
            # When something happened last stays; since when something waits ends with the waiting.
            if instant is None and not name.startswith("last_"):
                self._made[name].remove_by_labels({"account": account})
            self._instant(name, account, instant)
        self._set("consecutive_failures", status.consecutive_failures, account)
        if (answers := status.target_answers) is not None:
            self._set("target_answers", int(answers), account)
        self._fill("products", account, status.catalogue)
        self._fill("cells", account, _cells(status))
        watched = self._accounts.get(account)
        faults = watched.faults(status, at) if watched else []
        well = dict.fromkeys(map(label, FAULTS), 0)
        self._fill("account_unwell", account, well | {label(word): 1 for word, _ in faults})
        if (total := next((cycle.total for cycle in status.cycles if cycle.total is not None), None)) is not None:
            self._set("catalogue_products", total, account)
        if (skew := clock_skew(status)) is not None:
            self._set("clock_skew_seconds", skew.total_seconds(), account)
        guards = {guard.value: 0 for guard in Guard}
        for plan in status.waiting:
            for guard, count in by_guard(plan.changes).items():
                guards[guard] += count
        self._fill("guard_open", account, guards)
        if status.audit is not None:
            self._drift(status.audit)

    def noticed(self, by: str, result: str) -> None:
        """Count what became of a message to people."""
        self._made["notices_total"].labels(by, result).inc()

    def unsent(self, by: str, count: int) -> None:
        """Tell how many messages to people wait."""
        self._made["notices_unsent"].labels(by).set(count)

    def looped(self, at: datetime, late: float) -> None:
        """Note that the event loop turned, and how many seconds late."""
        self._made["heartbeat_timestamp_seconds"].set(at.timestamp())
        self._made["event_loop_lag_seconds"].observe(late)

    def retire(self, account: str) -> None:
        """Forget an account; what still ends for it later is not counted."""
        self._accounts.pop(account, None)
        for metric in METRICS:
            if "account" in metric.labels:
                self._made[metric.name].remove_by_labels({"account": account})

    def _series(self, name: str, account: str, words: tuple[str, ...]) -> Any:  # noqa: ANN401  the client's own types
        bounded = []
        for position, word in enumerate(words):
            seen = self._words.setdefault((name, str(position)), set())
            if len(seen) < _MOST_WORDS:
                seen.add(word)
            bounded.append(word if word in seen else "other")
        return self._made[name].labels(account, *bounded)

    def _set(self, name: str, value: float, account: str, *words: str) -> None:
        if account in self._accounts:
            self._series(name, account, words).set(value)

    def _add(self, name: str, amount: float, account: str, *words: str) -> None:
        if account in self._accounts and amount >= 0:
            self._series(name, account, words).inc(amount)

    def _time(self, name: str, seconds: float, account: str, *words: str) -> None:
        if account in self._accounts:
            self._series(name, account, words).observe(max(seconds, 0.0))

    def _instant(self, name: str, account: str, at: datetime | None) -> None:
        if at is not None:
            self._set(name, at.timestamp(), account)

    def _fill(self, name: str, account: str, counts: Mapping[str, float]) -> None:
        """Set what was counted, and 0 for every word counted before and not now."""
        before = self._words.get((name, "0"), set())
        for word in before | set(counts):
            self._set(name, counts.get(word, 0), account, word)


def instants(status: AccountStatus) -> Iterator[tuple[str, datetime | None]]:
    """Give when what happened last, and since when what waits; None where it never did, or nothing does."""
    yield "last_attempt_timestamp_seconds", status.last_attempt
    yield "last_complete_cycle_timestamp_seconds", status.last_complete
    yield "last_push_timestamp_seconds", status.last_push
    yield "last_target_contact_timestamp_seconds", status.target_contact
    yield "last_audit_timestamp_seconds", status.audit.ended_at if status.audit and not status.audit.error else None
    yield "oldest_unpushed_timestamp_seconds", status.oldest_unpushed
    yield "held_since_timestamp_seconds", min((plan.created_at for plan in status.waiting), default=None)
    yield "oldest_quarantined_timestamp_seconds", status.oldest_quarantined
    yield "oldest_unknown_timestamp_seconds", status.oldest_unknown


def _cells(status: AccountStatus) -> dict[str, int]:
    counts = {
        "managed": status.managed,
        "unknown": status.unknown,
        "held": len({cell for plan in status.waiting for cell in plan.cells}),
        "quarantined": status.refused,
    }
    # Locations that feed nothing have no row in the state: the newest cycle that compared counted them.
    compared = next((cycle.cells for cycle in status.cycles if cycle.cells), {})
    return counts | {"unmapped": compared.get("unmapped", 0)}


def label(word: str) -> str:
    """Give a word for people as the value of a label."""
    return word.replace(" ", "_")
