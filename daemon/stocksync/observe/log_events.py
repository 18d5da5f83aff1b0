"""What each event of the log means, and the page about them: `python -m stocksync.observe.log_events > docs/logs.md`.

Levels and fields are read from the code itself; what is said here, a test holds to it.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stocksync.observe.repeats import REPEATING

_CODE = Path(__file__).parents[1]
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical")

MEANINGS: Mapping[str, str] = {
    "absence_unresolved": "Whether products missing from the list are gone could not be asked; nothing is removed.",
    "account_failing": "Polls fail: the 1st, 2nd, 4th, 8th … in a row. `account_recovered` ends it.",
    "account_file_refused": "A file of `accounts_dir` is faulty; the others work.",
    "account_recovered": "A poll works again, `after` so many that failed.",
    "also_failed": "What ran beside what ended a cycle early failed too; the next cycle does it again.",
    "altered_by_target": "The target made other figures of those that were written: a trigger, or a column's type.",
    "attempt_refused": "A worker of the fleet did not take a poll up, as another one has it.",
    "audit": "The target was compared with what was written; `cells` differ, by cause.",
    "audit_failed": "An audit did not get to its end; the next one tries again.",
    "audit_not_recorded": "An audit's result could not be stored.",
    "authorized_again": "Qoyod accepts the credential again; ends `unauthorized`.",
    "batch_failed_while_stopping": "The last batch before the end failed; it is written after the next start.",
    "batch_given_up": "A batch was not answered in time as the process ended; it is read back at the next start.",
    "became_writer": "This process writes for the account now, under this epoch.",
    "clock_differs": "This machine's clock and Qoyod's are more than two minutes apart.",
    "columns_not_tried": "Whether the target takes a row's other columns by now could not be tried.",
    "columns_refused": "The figures stand; the target refuses other columns of those rows.",
    "cross_check_differs": "A product's figures in the list and by its id differ, twice read.",
    "cross_check_failed": "A product could not be read by its id to compare it with the list.",
    "cycle": "A poll, whole: one line each, whatever its outcome.",
    "cycle_crashed": "A mistake of stocksync ended a poll; please report the traceback.",
    "cycle_not_recorded": "A poll's result could not be stored.",
    "deadline_outlived": "A poll did not end at its deadline; the watchdog ended it.",
    "draining": "A worker of the fleet finishes what it has begun, and takes nothing up.",
    "failed": "The command or the daemon ends with this sentence and exit code.",
    "heartbeat_not_sent": "`notify.heartbeat_url` did not answer; it is asked again.",
    "heartbeat_sent_again": "`notify.heartbeat_url` answers again; ends `heartbeat_not_sent`.",
    "http_connections_at_limit": "More connections to `http.listen` than there is room for: the idlest were closed.",
    "invariant_broken": "The counts of a poll do not add up; please report it.",
    "lease_given_back": "The process ends and lets others write.",
    "lease_lost": "Another process writes now; what this one had begun was refused.",
    "lease_not_released": "The lease could not be given back: it runs out by itself within 15 seconds.",
    "listener_failed": "A listener (log, metrics, notices) failed at an event; polls are not disturbed.",
    "log_lines_dropped": "So many lines were lost while nobody read standard error.",
    "lookup_failed": "A look-up met a mistake of stocksync; please report it.",
    "lookup_not_pushed": "A looked-up figure was shown and not written; the next poll writes it.",
    "notice_given_up": "A message to people was refused 30 times and is dropped for those behind it.",
    "notice_not_sent": "A message to people was not taken; said once, while it is tried again.",
    "notice_sent": "A message to people was taken, after so many failures.",
    "notices_failed": "Looking for what to tell met a mistake of stocksync; please report it.",
    "page_failed": "A page of the list could not be read, its retries included.",
    "page_refused_to_others": "Beyond loopback and without a token, the page and /api/ are refused.",
    "pagination_missing": "Qoyod's list came without its page numbers.",
    "per_page_clamped": "Qoyod gives fewer rows a page than were asked for.",
    "plan_approved": "A person released what a guard held.",
    "plan_held": "A guard holds changes; `stocksync plan` shows them.",
    "plan_lapsed": "A decision ended, as what it was about has changed.",
    "plan_rejected": "A person let the figures stay as they are.",
    "product_gone": "A product is no longer in Qoyod: `policy.on_deleted` decides on its rows.",
    "question_failed": "A product could not be asked for by its id.",
    "reading_doubted": "Pages do not fit together; the list is read again.",
    "refresh_token_refused": "The stored OAuth refresh token is refused; the client's own grant is tried.",
    "reload_failed": "Reading the configuration again met a mistake of stocksync; what was in force stays.",
    "reload_refused": "The configuration read again is faulty; what was in force stays.",
    "reloaded": "A configuration was taken up.",
    "request": "One request to Qoyod.",
    "request_failed": "One attempt at a request failed; it may be tried again.",
    "restart_needed": "Keys that take effect at the next start have changed.",
    "rows_held_by_others": "Rows of the target that another transaction holds: they wait for the next poll.",
    "rows_not_walked": "An audit could not go over the target's rows that are nobody's.",
    "rows_outside_filter": "Qoyod gave products that the filter excludes; they are not believed.",
    "scheduler_rebuilt": "The scheduler had stopped firing and was made anew.",
    "secret_unreadable": "A secret's file could not be read at this moment.",
    "serving": "Where page and metrics are.",
    "sku_filter_not_followed": "Qoyod ignored a filter by SKU; products are asked for one by one.",
    "sku_not_unique": "Several products bear this SKU.",
    "standing_by": "Another process holds the state; said again after 5, 10, 20 … seconds.",
    "stands_by": "Another process writes for the account; this one waits.",
    "starting": "The process starts, with this configuration.",
    "state_files_made_private": "Others could read the SQLite state's files, and no longer can.",
    "state_files_open_to_others": "Others can read the SQLite state's files.",
    "state_opened": "The state is there; ends `state_unavailable` and `standing_by`.",
    "state_readable_again": "Ends `state_unreadable`.",
    "state_unavailable": "The state cannot be opened yet; said again after 5, 10, 20 … seconds.",
    "state_unreadable": "Page and metrics cannot read the state; said once.",
    "state_view_failed": "Reading the state for page and metrics met a mistake of stocksync.",
    "stopped": "The process has ended what it had begun.",
    "stopping": "A signal came: what is under way is finished.",
    "systemd_not_told": "systemd's socket did not take a message.",
    "target_changed": "The configuration leads to another target: it is compared as at first contact.",
    "target_differs": "At first contact, rows of the target differ from what was believed.",
    "target_lost_rows": "More rows are gone from the target than a guard would let us remove.",
    "target_noted": "Something about the target's table that is worth knowing.",
    "task_crashed": "A task of the daemon died; the process ends.",
    "task_did_not_end": "A task did not end in time as the process stopped.",
    "temporal_connected": "A worker of the fleet has reached Temporal.",
    "temporal_unavailable": "Temporal cannot be reached; said again more and more seldom.",
    "throttled": "Qoyod answered 429: the 1st, 2nd, 4th … of a poll.",
    "throttling_not_shared": "Other processes could not be told of a 429.",
    "token_renewed": "A new OAuth access token.",
    "trigger_failed": "Starting a poll met a mistake of stocksync; please report it.",
    "trigger_overdue": "A poll was not started in time, as when the clock is set back; it is started now.",
    "trigger_skipped": "A poll was not started: the last one still runs, or this process stands by.",
    "unauthorized": "Qoyod refuses the credential; said once. `authorized_again` ends it.",
    "view_not_made": "An SQL view for people could not be made.",
    "writer_not_reached": "The process that writes did not answer; the look-up is answered here.",
}

IN_A_VARIABLE: Mapping[str, tuple[str, ...]] = {
    "altered_by_target": ("warning",),
    "audit": ("info", "warning"),
    "plan_approved": ("info",),
    "plan_rejected": ("info",),
    "standing_by": ("warning",),
    "state_unavailable": ("warning",),
}
"""Events whose calls name them by a variable, and their levels."""

_HEAD = """\
# Log events

Made by `python -m stocksync.observe.log_events`, levels and fields from the code itself; do not edit. A test compares.

One line is one event: `timestamp`, `level`, `event`, then its fields; on a terminal for people, else as JSON
(`log.format`). Lines of one poll bear its `account` and `cycle_id`. No line shows a secret that was read.

A trouble that lasts is said when it begins, more and more seldom while it lasts, and once when it is over. Events
marked ↻ come with each poll for as long as their cause lasts: they are said the 1st, 2nd, 4th, 8th … time (`met` says
which), and the first `cycle` that works without them bears `over`, with how often each was met.

| event | level | fields | meaning |
|---|---|---|---|
"""


@dataclass(slots=True)
class Logged:
    """What the code says of an event."""

    levels: set[str] = field(default_factory=set)
    fields: list[str] = field(default_factory=list)


def logged() -> dict[str, Logged]:
    """Read every call of the log in this package."""
    found = {event: Logged(set(levels)) for event, levels in IN_A_VARIABLE.items()}
    for path in sorted(_CODE.rglob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            constants = (node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant))
            # A call may name one event or the other; those in a variable stand in IN_A_VARIABLE.
            for event in (value for value in constants if isinstance(value, str)):
                one = found.setdefault(event, Logged())
                one.levels.add(call.func.attr)  # type: ignore[attr-defined]  # _calls gives no others
                one.fields += [each.arg for each in call.keywords if each.arg and each.arg not in one.fields]
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        by = node.func.value
        if node.func.attr in _LEVELS and isinstance(by, ast.Name) and by.id == "log":
            yield node


def render() -> str:
    """Give the page as Markdown."""
    found, rows = logged(), []
    for event, meaning in sorted(MEANINGS.items()):
        one, again = found[event], " ↻" if event in REPEATING else ""
        levels = ", ".join("error" if level == "exception" else level for level in _LEVELS if level in one.levels)
        fields = ", ".join(f"`{name}`" for name in one.fields if name != "exc_info")
        rows.append(f"| `{event}`{again} | {levels} | {fields} | {meaning} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(render())
