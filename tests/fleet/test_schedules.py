"""What is done to schedules, as a table of cases; nothing here asks Temporal."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stocksync.core.fleet_status import Verb
from stocksync.fleet.job import AUDIT, POLL
from stocksync.fleet.schedules import PAUSED, Existing, Timing, Wanted, difference, wanted_of

QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)


def timing(name: str, **changes: timedelta) -> Timing:
    return replace(Timing(name, QUARTER, timedelta(seconds=10), timedelta(minutes=10), HOUR), **changes)


def wanted(*names: str, **changes: timedelta) -> list[Wanted]:
    return list(wanted_of("q", [timing(name, **changes) for name in names], timedelta(seconds=10)))


def as_listed(schedules: list[Wanted], **changes: object) -> dict[str, Existing]:
    return {one.id: replace(Existing(one.id, one.times, one.note, paused=False), **changes) for one in schedules}


def done(steps: list[object]) -> list[tuple[str, str, str]]:
    return [(step.verb, step.kind, step.account) for step in steps]


def test_each_account_has_a_schedule_for_polls_and_one_for_audits_at_its_own_place() -> None:
    first, second = wanted("a", "b")[0], wanted("a", "b")[2]
    assert [(one.id, one.job.kind, one.every) for one in wanted("a")] == [
        ("stocksync/q/poll/a", POLL, QUARTER),
        ("stocksync/q/audit/a", AUDIT, HOUR),
    ]
    assert first.offset != second.offset
    assert all(timedelta(0) <= one.offset < one.every for one in wanted(*map(str, range(200))))
    assert wanted("a") == wanted("a")


def test_temporal_counts_in_whole_seconds() -> None:
    poll = wanted("a", interval=timedelta(milliseconds=1500), jitter=timedelta(milliseconds=150))[0]
    assert poll.times == (timedelta(seconds=2), poll.offset, timedelta(0))
    assert wanted("a", interval=timedelta(milliseconds=100))[0].every == timedelta(seconds=1)


def test_what_is_equal_is_left_alone() -> None:
    assert difference(wanted("a", "b"), as_listed(wanted("a", "b")), ()) == []


@pytest.mark.parametrize("changed", [{"interval": HOUR}, {"jitter": timedelta(0)}, {"deadline": timedelta(minutes=1)}])
def test_what_is_configured_otherwise_is_changed(changed: dict[str, timedelta]) -> None:
    steps = difference(wanted("a", **changed), as_listed(wanted("a")), ())
    assert ("change", POLL, "a") in done(steps)


def test_missing_ones_are_made_and_others_deleted() -> None:
    steps = difference(wanted("a"), as_listed(wanted("b")), ())
    assert done(steps) == [("create", AUDIT, "a"), ("create", POLL, "a"), ("delete", AUDIT, "b"), ("delete", POLL, "b")]


def test_while_a_file_is_faulty_nothing_is_deleted_but_paused_once() -> None:
    listed = as_listed(wanted("b"))
    steps = difference(wanted("a"), listed | as_listed(wanted("a")), ["accounts.d/b.toml"])
    assert done(steps) == [("pause", AUDIT, "b"), ("pause", POLL, "b")]
    assert "accounts.d/b.toml" in steps[0].why
    paused = as_listed(wanted("b"), paused=True, note=PAUSED)
    assert difference([], paused, ["accounts.d/b.toml"]) == []
    assert [step.verb for step in difference(wanted("b"), paused, ())] == [Verb.RESUME] * 2


def test_what_a_person_has_paused_stays_paused_and_follows_its_times() -> None:
    paused = as_listed(wanted("a"), paused=True, note="stock take until noon")
    assert difference(wanted("a"), paused, ()) == []
    assert done(difference(wanted("a", interval=HOUR), paused, ())) == [("change", POLL, "a")]
    resumed = as_listed(wanted("a"), note="go on")
    assert [step.verb for step in difference(wanted("a"), resumed, ())] == [Verb.CHANGE] * 2
