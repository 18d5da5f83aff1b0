"""What a cycle's report says of failures, refusals and orphans."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from making import NOW

from stocksync.core.model import Verdict
from stocksync.core.report import Counts, CycleReport, Outcome, orphaned_by
from stocksync.errors import InvariantBroken


def test_counts_that_do_not_add_up_are_a_broken_promise():
    Counts(read=3, unchanged=1, applied=1, ignored=1).check()
    with pytest.raises(InvariantBroken, match="do not add up"):
        Counts(read=1000, applied=2).check()


def report(**given):
    return CycleReport(account="main", cycle_id="c", started_at=NOW, **given)


def test_failures_count_until_a_cycle_has_worked():
    after = {outcome: report(outcome=outcome).failures_after(3) for outcome in Outcome}
    assert {outcome for outcome, count in after.items() if count == 0} == {Outcome.DONE, Outcome.HELD}
    failed = {Outcome.FAILED, Outcome.UNAUTHORIZED, Outcome.DEADLINE}
    assert {outcome for outcome, count in after.items() if count == 4} == failed
    assert {count for outcome, count in after.items() if outcome not in failed | {Outcome.DONE, Outcome.HELD}} == {3}


def test_a_credential_is_refused_since_the_first_refusal_and_until_qoyod_answers():
    ended, earlier = NOW + timedelta(minutes=1), NOW - timedelta(hours=1)
    refused = report(outcome=Outcome.UNAUTHORIZED, ended_at=ended)
    assert (refused.unauthorized_since(None), refused.unauthorized_since(earlier)) == (ended, earlier)
    assert report(outcome=Outcome.UNAUTHORIZED).unauthorized_since(None) == NOW
    assert report(outcome=Outcome.FAILED).unauthorized_since(earlier) == earlier
    assert report(outcome=Outcome.DONE, verdict=Verdict.COMPLETE).unauthorized_since(earlier) is None


def test_the_newest_cycle_that_compared_tells_what_is_orphaned():
    idle, newer, older = report(), report(), report()
    idle.orphaned, newer.orphaned, older.orphaned = {"A": D(1)}, {"B": D(2)}, {"C": D(3)}
    newer.counts, older.counts = Counts(read=1), Counts(read=1)
    assert orphaned_by([idle, newer, older]) == {"B": D(2)}
    assert orphaned_by([idle]) == {}
