"""When an account is well, and the word and the reasons where it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.answers import Health
from stocksync.core.guards import Guard
from stocksync.core.health import Watched, in_one_line, in_words, limit_of, reason_of, refused_in_words, worst_first
from stocksync.core.held_plan import HeldChange, HeldPlan
from stocksync.core.model import Change
from stocksync.core.policy import LocationMap
from stocksync.core.report import CycleReport, Outcome
from stocksync.core.status import AccountStatus, Quarantined

NOW = datetime(2026, 8, 31, 12, 0, tzinfo=UTC)
INTERVAL, DEADLINE = timedelta(minutes=15), timedelta(minutes=10)
LIMIT = timedelta(minutes=40)
WATCHED = Watched("main", INTERVAL, DEADLINE)
STATUS = AccountStatus(
    "main", "", 0, None, None, None, None, None, 0, (), None, (), 0, 0, None, cells=1000, products=500, audit=None
)
CHANGE = Change(1, "MAIN", "A", Decimal(4), Decimal(0), ((3, Decimal(0)),))
HELD = HeldPlan("main", "7f3a", NOW, {}, (HeldChange(CHANGE, (Guard.ZEROED,)),))


def judged(lag=timedelta(0), **given):
    last_complete = None if lag is None else NOW - lag
    status = replace(
        STATUS, last_attempt=given.pop("last_attempt", last_complete), last_complete=last_complete, **given
    )
    return WATCHED.health(status, NOW)


def test_one_failed_poll_and_one_slow_poll_are_not_stale_yet():
    assert limit_of(INTERVAL, DEADLINE) == LIMIT
    assert judged(LIMIT).well
    assert not judged(LIMIT + timedelta(seconds=1)).well


def test_an_account_that_was_never_complete_is_not_well_and_has_no_lag():
    health = judged(None)
    assert not health.well
    assert health.lag is None
    assert health.reasons == ("no poll has been complete yet",)


def test_a_stale_account_says_how_long_and_that_nothing_even_starts():
    health = judged(timedelta(hours=3, minutes=12))
    assert health.reasons == (
        "the last complete poll ended 3 h 12 min ago, more than 40 min",
        "no poll has even started for 3 h 12 min",
    )


def test_polls_that_start_and_fail_are_counted_and_not_called_silent():
    health = judged(timedelta(hours=1), last_attempt=NOW - timedelta(minutes=2), consecutive_failures=4)
    assert health.reasons[1:] == ("the last 4 polls failed",)
    assert judged(timedelta(0), consecutive_failures=1).reasons == ("the last poll failed",)


def test_a_complete_poll_in_the_future_is_a_clock_fault_and_does_not_hide_staleness():
    assert judged(-timedelta(minutes=1)).well
    health = judged(-timedelta(days=1))
    assert not health.well
    assert "check the clocks" in health.reasons[0]


def test_held_changes_and_quarantine_are_reasons_to_look_but_the_account_stays_fresh():
    health = judged(held=HELD, quarantined=2)
    assert health.well
    assert health.reasons == (
        "1 change waits for a person: 1 figure would go to 0 (4 units); stocksync plan",
        "2 rows set aside in quarantine",
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3605, "1 h"),
        (90_000, "1 d 1 h"),
        (-61, "1 min 1 s"),
        (2.5, "2.5 s"),
        (3.0, "3 s"),
        (0.1, "0.1 s"),
        (0.03, "30 ms"),
        (10.0, "10 s"),
        (10 * 86_400, "10 days"),
    ],
)
def test_lengths_of_time_are_told_in_their_two_largest_units(seconds, words):
    assert in_words(timedelta(seconds=seconds)) == words


def test_a_refused_credential_is_the_first_word_at_once():
    since = NOW - timedelta(minutes=1)
    health = judged(timedelta(minutes=2), unauthorized_since=since, consecutive_failures=1)
    assert (health.well, health.word) == (False, "credential refused")
    assert health.reasons[0].startswith("Qoyod refuses the credential since 2026-08-31 11:59 UTC")
    assert judged(timedelta(hours=3), unauthorized_since=since).word == "credential refused"


@pytest.mark.parametrize(
    ("cells", "refused", "well"),
    [
        (1000, 50, True),
        (1000, 51, False),
        (100, 19, True),
        (100, 20, False),
        (4, 3, True),
        (4, 4, False),
        (0, 1000, False),
        (0, 0, True),
    ],
)
def test_refused_figures_above_their_share_make_the_account_not_well(cells, refused, well):
    health = judged(cells=cells, refused=refused, refusal="column 'loc' holds whole numbers")
    assert health.well is well
    if not well:
        assert health.word == "figures refused"
        assert f"{refused:,} of {max(cells, refused):,} cell" in health.reasons[0]
        assert "column 'loc' holds whole numbers" in health.reasons[0]


@pytest.mark.parametrize(
    ("unknown", "untracked", "well"), [(500, 0, True), (501, 0, False), (0, 999, True), (0, 1000, False)]
)
def test_an_account_most_of_whose_figures_are_unknown_is_not_well(unknown, untracked, well):
    health = judged(unknown=unknown, untracked=untracked)
    assert health.well is well
    assert health.word == ("fresh" if well else "figures unknown")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)), st.booleans())
def test_health_never_improves_as_time_goes_by(lag, started):
    later = judged(lag + timedelta(minutes=1), last_attempt=NOW if started else None)
    assert judged(lag).well or not later.well


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30 * 86_400.0, "this machine's clock is 30 days behind Qoyod's: set it (timedatectl set-ntp true)"),
        (-300.0, "this machine's clock is 5 min ahead of Qoyod's: set it (timedatectl set-ntp true)"),
        (119.0, None),
        (None, None),
    ],
)
def test_a_wrong_clock_is_remarked_and_the_account_stays_as_it_is(seconds, words):
    silent = CycleReport("main", "c2", NOW)
    told = CycleReport("main", "c1", NOW, clock_skew_seconds=seconds)
    health = judged(cycles=(silent, told, CycleReport("main", "c0", NOW, clock_skew_seconds=-9e9)) if seconds else ())
    assert health.well
    assert health.reasons == ((words,) if words else ())


def test_all_accounts_in_one_line():
    def health(account, word, minutes):
        lag = None if minutes is None else timedelta(minutes=minutes)
        return Health(account, word == "fresh", lag, timedelta(minutes=40), word=word)

    fresh, old = health("main", "fresh", 4), health("jeddah", "stale", 50)
    assert in_one_line([fresh]) == "1 account fresh; lag 4 min of at most 40 min"
    assert in_one_line([fresh, old]) == "1 of 2 accounts not well; jeddah: stale; lag 50 min of at most 40 min (jeddah)"
    assert in_one_line([health("main", "never complete", None)]).endswith("; no poll has been complete yet")


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ({"outcome": Outcome.DONE}, True),
        ({"outcome": Outcome.FAILED, "target_contact": NOW}, True),
        ({"outcome": Outcome.FAILED, "target_failed": True}, False),
        ({"outcome": Outcome.DEADLINE, "phases": {"read": 1.0, "write": 9.0}}, False),
        ({"outcome": Outcome.DEADLINE, "phases": {"read": 10.0}}, None),
        ({"outcome": Outcome.FAILED}, None),
        ({"outcome": Outcome.UNAUTHORIZED}, None),
    ],
)
def test_a_target_is_judged_by_the_last_cycle_that_came_as_far_as_asking_it(given, answered):
    cycle = CycleReport("main", "c", NOW, **given)
    assert cycle.target_answered is answered
    before = CycleReport("main", "b", NOW, outcome=Outcome.FAILED, target_failed=True)
    assert replace(STATUS, cycles=(cycle, before)).target_answers is (answered or False)


def test_accounts_are_shown_by_what_is_wrong_and_then_by_what_waits():
    complete = replace(STATUS, last_attempt=NOW, last_complete=NOW)
    stale = replace(STATUS, account="stale", last_attempt=NOW, last_complete=NOW - 2 * LIMIT)
    waiting = replace(complete, account="waiting", held=HELD)
    assert waiting.waiting
    assert not complete.waiting
    pairs = [(one, WATCHED.health(one, NOW)) for one in (complete, waiting, stale)]
    assert [one.account for one, _ in worst_first(pairs)] == ["stale", "waiting", "main"]


def test_locations_are_named_where_an_account_s_places_are_shown():
    watched = replace(WATCHED, places=LocationMap({3: "MAIN"}))
    entries = tuple(
        Quarantined(1, place, "target", "too long", None, 1, NOW, NOW, NOW) for place in ("MAIN", "ELSEWHERE", None)
    )
    named = watched.named(replace(STATUS, locations={3: "Riyadh"}, quarantine=entries))
    assert [entry.location for entry in named.quarantine] == ["Riyadh", "", ""]
    assert named.places == {"MAIN": "Riyadh"}
    assert named.account == "main"


@pytest.mark.parametrize(
    ("complete", "word"),
    [(None, "never complete"), (timedelta(hours=-2), "stale"), (timedelta(hours=2), "stale"), (timedelta(0), "fresh")],
)
def test_an_unwell_account_has_its_word(complete, word):
    at = None if complete is None else NOW - complete
    health = WATCHED.health(replace(STATUS, last_complete=at, last_attempt=at), NOW)
    assert (health.account, health.word, health.lag, health.limit) == ("main", word, complete, WATCHED.limit)


def test_what_is_refused_has_a_reason_where_one_is_known():
    assert refused_in_words(999, 1000, "") == "999 of 1,000 cells refused"
    assert refused_in_words(1, 1, "no") == "1 of 1 cell refused: no"


@pytest.mark.parametrize("reason", ["", "value too long", "$.products[1]: 3 of 5 cells refused: x"])
def test_the_reason_is_found_again_in_what_a_report_says_of_refusals(reason):
    assert reason_of(refused_in_words(3, 1200, reason)) == reason
    assert (
        reason_of("1 cell waits: another transaction holds the row")
        == "1 cell waits: another transaction holds the row"
    )
