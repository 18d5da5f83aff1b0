"""What is told of an account: each change once, and its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.drift import AuditReport
from stocksync.core.health import Watched
from stocksync.core.held_plan import HeldPlan
from stocksync.core.message_limit import MessageLimit
from stocksync.core.notice import Trouble, marks_of, marks_text, news, troubles
from stocksync.core.report import CycleReport, Outcome
from stocksync.core.status import AccountStatus

NOW = datetime(2026, 8, 31, 12, 0, tzinfo=UTC)
WATCHED = Watched("main", timedelta(minutes=15), timedelta(minutes=10))
WELL = AccountStatus(
    "main", "", 0, None, NOW, NOW, NOW, None, 0, (), None, (), 0, 0, None, cells=1000, products=500, audit=None
)
OF_ONE_SIGN = [Trouble.STATE_AWAY, Trouble.UNAUTHORIZED, Trouble.TARGET_AWAY, Trouble.STALE, Trouble.DRIFT]
FOUND = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(OF_ONE_SIGN, st.just("")),
        Trouble.REFUSED: st.just(""),
        Trouble.HELD: st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(lambda ids: " ".join(sorted(ids))),
        Trouble.QUARANTINE: st.integers(1, 50).map(str),
    },
)


def found(told=(), **given):
    return troubles(replace(WELL, **given), WATCHED, NOW, dict(told))


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, {}),
        ({"unauthorized_since": NOW}, {Trouble.UNAUTHORIZED: ""}),
        ({"last_complete": NOW - timedelta(minutes=41)}, {Trouble.STALE: ""}),
        ({"last_complete": None}, {}),
        ({"last_complete": None, "consecutive_failures": 1}, {Trouble.STALE: ""}),
        ({"cycles": (CycleReport("main", "c", NOW, target_failed=True),)}, {Trouble.TARGET_AWAY: ""}),
        ({"cycles": (CycleReport("main", "c", NOW, outcome=Outcome.FAILED),), "consecutive_failures": 1}, {}),
        ({"quarantined": 7}, {Trouble.QUARANTINE: "7"}),
        ({"quarantined": 900, "refused": 900}, {Trouble.QUARANTINE: "900", Trouble.REFUSED: ""}),
        ({"unknown": 900}, {Trouble.UNKNOWN: ""}),
        ({"held": HeldPlan("main", "7f3a", NOW, {}, ())}, {Trouble.HELD: "7f3a"}),
        ({"audit": AuditReport("main", NOW, cells={"edited_in_target": 3})}, {Trouble.DRIFT: ""}),
        ({"audit": AuditReport("main", NOW, cells={"altered_by_target": 3, "held": 1})}, {}),
        ({"audit": AuditReport("main", NOW, error="away")}, {}),
        ({"audit": AuditReport("main", NOW, error="away"), "told": {Trouble.DRIFT: ""}}, {Trouble.DRIFT: ""}),
    ],
)
def test_what_ails_an_account_is_found_in_its_status(given, what):
    assert found(**given) == what


def test_an_outage_is_one_message_and_its_recovery_another():
    told = {}
    seen = []
    for standing in ({}, {Trouble.STALE: ""}, {Trouble.STALE: ""}, {Trouble.STALE: ""}, {}, {}):
        notice, told = news("main", told, standing)
        seen.append(notice and (notice.begun, notice.ended))
    assert seen == [None, ((Trouble.STALE,), ()), None, None, ((), (Trouble.STALE,)), None]


def test_what_follows_from_a_cause_is_not_told_beside_it():
    notice, told = news("main", {}, {Trouble.STALE: "", Trouble.UNAUTHORIZED: ""})
    assert notice.begun == (Trouble.UNAUTHORIZED,)
    notice, told = news("main", told, {Trouble.STALE: ""})
    assert (notice.begun, notice.ended) == ((Trouble.STALE,), (Trouble.UNAUTHORIZED,))


def test_a_quarantine_is_told_again_when_it_has_doubled_and_a_plan_when_it_is_another():
    told = {}
    counts = []
    for count in (1, 1, 2, 3, 4, 3, 8, 15):
        notice, told = news("main", told, {Trouble.QUARANTINE: str(count)})
        counts += [count] if notice else []
    assert counts == [1, 2, 4, 8]
    _, told = news("main", {}, {Trouble.HELD: "a b"})
    assert news("main", told, {Trouble.HELD: "b"})[0] is None
    assert news("main", told, {Trouble.HELD: "b c"})[0].begun == (Trouble.HELD,)


@given(st.lists(FOUND, max_size=8))
def test_whoever_reads_every_message_knows_what_stands(history):
    told, believed = {}, set()
    for standing in history:
        notice, told = news("main", told, standing)
        if notice is not None:
            assert notice.begun or notice.ended
            assert not set(notice.begun) & set(notice.ended)
            believed = (believed - set(notice.ended)) | set(notice.begun)
            assert believed == set(notice.begun) | set(notice.lasting)
        assert believed == set(told) <= set(standing)
        hidden = set(standing) - set(told)
        assert hidden <= {Trouble.STALE, Trouble.QUARANTINE}
        assert news("main", told, standing) == (None, told), "the same state is told once"


@given(FOUND)
def test_what_was_told_is_remembered_as_text_and_unknown_words_are_left_out(marks):
    assert marks_of(marks_text(marks)) == marks
    assert marks_of('{"of_another_version": "", "stale": ""}') == {Trouble.STALE: ""}


@given(st.integers(1, 5), st.lists(st.integers(0, 2000), max_size=60))
def test_no_hour_has_more_messages_than_allowed_and_none_is_lost_uncounted(per_hour, gaps):
    limit, now, sent, told_of = MessageLimit(per_hour), NOW, [], 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        if count := limit.overdue(now):
            told_of += count
            sent.append(now)
        if limit.admits(now):
            sent.append(now)
            told_of += 1
    for at in sent:
        assert sum(at <= other < at + timedelta(hours=1) for other in sent) <= per_hour
    assert told_of + limit.kept_back == len(gaps)


def test_a_clock_that_is_set_back_does_not_silence_for_long():
    limit = MessageLimit(1)
    assert limit.admits(NOW)
    assert limit.admits(NOW - timedelta(hours=5))
