"""Which lines of a log that repeats itself are said."""

from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.repetition import Repetition


def test_what_lasts_is_said_at_powers_of_two_and_once_that_it_is_over():
    lasting = Repetition()
    assert [lasting.meet("main", "page_failed", "503", at) for at in range(9)] == [1, 2, 0, 4, 0, 0, 0, 8, 0]
    assert lasting.worked("main") == {}, "it was met in this cycle"
    assert lasting.worked("other") == {}
    assert lasting.worked("main") == {"page_failed": 9}
    assert lasting.worked("main") == {}
    assert lasting.meet("main", "page_failed", "503", 10) == 1


def test_another_cause_or_account_and_a_new_hour_are_said_at_once():
    lasting = Repetition()
    assert [lasting.meet("main", "audit_failed", "away", at) for at in (0, 1, 2)] == [1, 2, 0]
    assert lasting.meet("main", "audit_failed", "refused", 3) == 1
    assert lasting.meet("outlet", "audit_failed", "away", 4) == 1
    assert lasting.meet("main", "audit_failed", "away", 3602) == 1


def test_an_hour_of_silence_or_a_clock_that_is_set_back_makes_the_next_time_the_first():
    lasting = Repetition()
    assert [lasting.meet("main", "x", "", at) for at in (0, 0, 3599, 3599, 7199)] == [1, 2, 0, 4, 1]
    assert [lasting.meet("main", "x", "", at) for at in (7200, 7100)] == [2, 1]


def test_what_is_over_is_told_with_its_count_whatever_other_accounts_meet():
    lasting = Repetition()
    for account, why, times in (("other", "", 1), ("main", "503", 2), ("main", "504", 3), ("main", "once", 1)):
        for at in range(times):
            lasting.meet(account, "page_failed", why, at)
    assert lasting.worked("main") == {}
    assert lasting.worked("main") == {"page_failed": 5}
    assert lasting.meet("main", "page_failed", "once", 9) == 1, "what was met once is over too"


def test_of_a_thousand_kinds_the_one_met_longest_ago_is_forgotten():
    lasting = Repetition()
    for kind in range(1000):
        lasting.meet("main", "x", str(kind), 0)
    assert lasting.meet("main", "x", "0", 0) == 2, "all are remembered"
    lasting.meet("main", "x", "new", 0)
    assert [lasting.meet("main", "x", kind, 0) for kind in ("1", "0")] == [1, 0]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans()), max_size=40))
def test_whatever_happens_the_first_time_is_said_and_nothing_is_over_that_was_not_said(story):
    lasting, said = Repetition(), set()
    for account, event, works in story:
        if works:
            for over in lasting.worked(account):
                assert (account, over) in said
                said.discard((account, over))
        elif lasting.meet(account, event, "", 0.0):
            said.add((account, event))
        else:
            assert (account, event) in said
