"""What exceeds a guard waits; everything else flows."""

from decimal import Decimal as D

import pytest

from stocksync.core.cycle_plan import make_plan
from stocksync.core.guards import GuardContext, Limits
from stocksync.core.model import Change, Removal

LIMITS = Limits()


def change(n, before=5, after=4):
    def figure(value):
        return D(value) if isinstance(value, int) else value

    return Change(n, "3", f"S{n}", figure(before), figure(after), ())


def facts(make, managed=100, **other):
    return GuardContext("main", make.now, managed, **other)


def plan(make, changes, negative=(), plans=(), **other):
    return make_plan(changes, negative, LIMITS, facts(make, **other), plans)


@pytest.mark.parametrize(("zeroes", "held"), [(15, 0), (16, 16)])
def test_drops_to_zero_beyond_the_share_are_held_and_the_rest_flows(make, zeroes, held):
    changes = [change(n, 5, 0) for n in range(zeroes)] + [change(90)]
    result = plan(make, changes)
    assert len(result.held.changes if result.held else ()) == held
    assert change(90) in result.apply


def test_a_negative_figure_is_a_drop_to_zero_too(make):
    assert plan(make, [change(n, 5, -2) for n in range(16)]).guards == {"zeroed": 16}


def test_removals_beyond_the_share_are_held(make):
    removed = [change(n, 5, Removal.DEACTIVATED) for n in range(16)]
    assert plan(make, removed).guards == {"deleted": 16}


def test_a_reading_that_changes_most_cells_is_held_but_not_what_is_met_for_the_first_time(make):
    changes = [change(n) for n in range(61)]
    assert plan(make, changes).guards == {"changed": 61}
    assert plan(make, changes, first=frozenset(one.cell for one in changes)).held is None
    both = plan(make, changes, first=frozenset({changes[0].cell}), managed=90)
    assert (both.guards, both.apply) == ({"changed": 60}, (changes[0],))


def test_a_shrunken_catalogue_holds_what_destroys_and_nothing_else(make):
    result = plan(make, [change(1, 5, 0), change(2)], total=69, recent_totals=[100, 100, 101])
    assert result.guards == {"total_fall": 1}
    assert result.apply == (change(2),)
    assert "100 to 69" in result.held.reasons["total_fall"]


def test_a_small_catalogue_is_not_held_hostage(make):
    assert plan(make, [change(n, 5, 0) for n in range(19)], managed=19).held is None


def test_a_target_without_any_figure_of_ours_exceeds_no_share(make):
    assert make_plan([change(1)], (), Limits(minimum_cells=0), facts(make, managed=0)).held is None


def test_a_reading_that_is_not_believed_holds_everything(make):
    assert plan(make, [change(1), change(2, None, 3)], distrusted="why").guards == {"cross_check": 2}


def test_negative_figures_wait_one_by_one(make):
    result = plan(make, [change(1)], negative=[change(2, 5, -1)])
    assert result.guards == {"negative": 1}
    assert result.apply == (change(1),)
