"""The metrics of `serve`: at most fifteen series an account, for thousands of accounts; the rest is summed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

from stocksync.core.health import Watched
from stocksync.core.status import AccountStatus
from stocksync.observe.declared import METRICS, PREFIX
from stocksync.observe.metrics import Metrics, instants, label
from stocksync.observe.summed import SummedMetrics

Sample = tuple[str, str, float]
"""Metric, further labels as they are scraped (`,state="held"`), value."""

_HELP = {metric.name: metric.help for metric in METRICS}
_OURS = (
    "last_attempt_timestamp_seconds", "last_complete_cycle_timestamp_seconds", "last_push_timestamp_seconds",
    "last_target_contact_timestamp_seconds", "last_audit_timestamp_seconds", "poll_interval_seconds",
    "audit_interval_seconds", "freshness_limit_seconds", "consecutive_failures", "target_answers", "authorized",
    "held_since_timestamp_seconds", "oldest_unpushed_timestamp_seconds", "oldest_quarantined_timestamp_seconds",
    "oldest_unknown_timestamp_seconds", "account_unwell", "cells", "drift_cells", "target_rows_lost", "products",
    "catalogue_products",
)  # fmt: skip
"""Written here by hand: through the client's objects ten thousand accounts take seconds at each scrape."""
MOST_SERIES = 15
"""Of one account. One whose every figure is bad has more to tell: what comes last gives way."""
_OWN_CELLS = ("held", "quarantined")
"""States of cells that alerts look at account by account, where there are any; the others are summed."""


class FleetMetrics(SummedMetrics):
    """Shows what the state knows of each account; of what happens in this process it counts sums."""

    def __init__(self, accounts: Iterable[Watched] = (), lines_dropped: Callable[[], int] = int) -> None:
        self._statuses: dict[str, AccountStatus] = {}
        self._read_at: datetime | None = None
        super().__init__(accounts, lines_dropped)
        for name in _OURS:
            self.registry.unregister(self._made[name])

    def remember(self, status: AccountStatus, at: datetime) -> None:
        """Take over what the state knows of an account; `at`: when it was read."""
        self._made["state_read_timestamp_seconds"].set(at.timestamp())
        self._statuses[status.account], self._read_at = status, at

    def retire(self, account: str) -> None:
        """Forget an account."""
        self._accounts.pop(account, None)
        self._statuses.pop(account, None)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Give what is scraped, and its content type, as the `Accept` header asks."""
        body, content_type = Metrics.render(self, accept)
        ours = "".join(self._lines()).encode()
        ending = b"# EOF\n"
        if body.endswith(ending):
            return body[: -len(ending)] + ours + ending, content_type
        return body + ours, content_type

    def _lines(self) -> Iterator[str]:
        lines: dict[str, list[str]] = {name: [] for name in _OURS}
        sums: Counter[tuple[str, str]] = Counter()
        for watched in list(self._accounts.values()):
            # What alerts look at comes first, and people's next; most of it is there only while something is wrong.
            for name, labels, value in islice(self._all_of(watched), MOST_SERIES):
                lines[name].append(f'{PREFIX}{name}{{account="{watched.name}"{labels}}} {value}\n')
            status = self._statuses.get(watched.name)
            counted = next((cycle for cycle in status.cycles if cycle.complete), None) if status else None
            if counted is not None:
                cells = ((state, n) for state, n in counted.cells.items() if state not in _OWN_CELLS)
                sums.update({("cells", f'state="{state}"'): n for state, n in cells})
                sums.update({("products", f'state="{state}"'): n for state, n in counted.products.items()})
                sums["catalogue_products", ""] += counted.total or 0
        for (name, labels), total in sums.items():
            lines[name].append(f"{PREFIX}{name}{f'{{{labels}}}' if labels else ''} {float(total)}\n")
        for name, found in lines.items():
            yield f"# HELP {PREFIX}{name} {_HELP[name]}\n# TYPE {PREFIX}{name} gauge\n"
            yield from found

    def _all_of(self, watched: Watched) -> Iterator[Sample]:
        yield "poll_interval_seconds", "", watched.interval.total_seconds()
        yield "freshness_limit_seconds", "", watched.limit.total_seconds()
        if watched.audit_interval is not None:
            yield "audit_interval_seconds", "", watched.audit_interval.total_seconds()
        status = self._statuses.get(watched.name)
        if status is None or self._read_at is None:
            return
        yield "consecutive_failures", "", float(status.consecutive_failures)
        if faults := watched.faults(status, self._read_at):
            yield "account_unwell", f',reason="{label(faults[0][0])}"', 1.0
        if status.unauthorized_since is not None:
            yield "authorized", "", 0.0
        if (answers := status.target_answers) is not None:
            yield "target_answers", "", float(answers)
        yield from ((name, "", at.timestamp()) for name, at in instants(status) if at is not None)
        lost = status.audit.lost if status.audit else 0
        if lost:
            yield "target_rows_lost", "", float(lost)
        drift = {cause: count for cause, count in (status.audit.cells if status.audit else {}).items() if count}
        if drift:
            yield "drift_cells", f',cause="{max(drift, key=drift.__getitem__)}"', float(sum(drift.values()))
        held = len({cell for plan in status.waiting for cell in plan.cells})
        for state, count in zip(_OWN_CELLS, (held, status.refused), strict=True):
            if count:
                yield "cells", f',state="{state}"', float(count)
