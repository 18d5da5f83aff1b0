"""What exceeds a guard waits; everything else flows."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import NOW

from stocksync.core.cycle_plan import make_plan
from stocksync.core.guards import Guard, GuardContext, Limits, exceeded, holding
from stocksync.core.model import Cell, Change, Removal

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


def many(zeroes=0, removals=0, others=0):
    """Make changes of distinct cells; removals by both rules in turn."""
    numbers = iter(range(1, 10_000))
    kinds = [*[0] * zeroes, *[list(Removal)[n % 2] for n in range(removals)], *[4] * others]
    return [change(next(numbers), after=after) for after in kinds]


@given(managed=st.integers(0, 60), counts=st.tuples(*[st.integers(0, 45)] * 3), left_out=st.integers(0, 70))
def test_a_guard_opens_where_its_share_is_exceeded_and_nowhere_else(managed, counts, left_out):
    limits = Limits(zeroed=0.25, deleted=0.5, changed=0.75, minimum_cells=8)
    zeroes, removals, others = counts
    found = exceeded(many(*counts), limits, GuardContext("main", NOW, managed), left_out=left_out)
    cells = max(managed - left_out, 0)
    shares = {
        Guard.ZEROED: zeroes > 0.25 * cells,
        Guard.DELETED: removals > 0.5 * cells,
        Guard.CHANGED: zeroes + removals + others > 0.75 * cells,
    }
    assert found.keys() == {guard for guard, over in shares.items() if over and managed >= 8}


@pytest.mark.parametrize(
    ("total", "recent", "managed", "open_"),
    [
        (70, [100], 20, False),
        (69, [100], 20, True),
        (69, [100], 19, False),
        (69, [60, 100, 110], 20, True),
        (69, [60, 70, 110], 20, False),
        (69, [], 20, False),
        (None, [100], 20, False),
        (0, [100], 20, True),
    ],
)
def test_a_catalogue_has_fallen_where_it_is_below_its_usual_size_by_more_than_the_share(total, recent, managed, open_):
    facts = GuardContext("main", NOW, managed, total=total, recent_totals=recent)
    found = exceeded([], LIMITS, facts)
    assert (Guard.TOTAL_FALL in found) is open_
    if total == 69 and recent == [100] and open_:
        assert found[Guard.TOTAL_FALL] == "the catalogue fell from 100 to 69 products, the limit is 30%"


def test_each_guard_says_how_much_of_what_exceeds_which_limit():
    found = exceeded(many(16, 17, 30), LIMITS, GuardContext("main", NOW, 100, distrusted="the list lies"), left_out=2)
    assert found == {
        Guard.CROSS_CHECK: "the list lies",
        Guard.ZEROED: "16 of 98 cells (16.3%) dropped to zero, the limit is 15%",
        Guard.DELETED: "17 of 98 cells (17.3%) were removed, the limit is 15%",
        Guard.CHANGED: "63 of 98 cells (64.3%) changed, the limit is 60%",
    }
    (alone,) = exceeded(many(1), LIMITS, GuardContext("main", NOW, 20), left_out=20).keys() - {Guard.CHANGED}
    assert exceeded(many(1), LIMITS, GuardContext("main", NOW, 20), left_out=20)[alone] == (
        "1 of 0 cells dropped to zero, the limit is 15%"
    )


def test_an_open_guard_holds_what_it_is_about_the_strictest_first():
    zero, removed, fewer = many(1, 1, 1)
    every = dict.fromkeys(Guard, "")
    facts = GuardContext("main", NOW, 100)
    whole = (Guard.CROSS_CHECK, Guard.ZEROED, Guard.TOTAL_FALL, Guard.CHANGED)
    assert holding(zero, every, facts) == whole
    assert holding(removed, every, facts) == (Guard.CROSS_CHECK, Guard.DELETED, Guard.TOTAL_FALL, Guard.CHANGED)
    assert holding(fewer, every, facts) == (Guard.CROSS_CHECK, Guard.CHANGED)
    met = GuardContext("main", NOW, 100, first=frozenset({Cell(fewer.product_id, "3")}))
    assert holding(fewer, every, met) == (Guard.CROSS_CHECK,)
    assert holding(zero, every, met) == whole
    assert holding(fewer, {Guard.ZEROED: "", Guard.NEGATIVE: ""}, facts) == ()
