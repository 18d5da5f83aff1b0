"""What a person decided on a held plan, carried through the next readings."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocksync.core.cycle_plan import make_plan
from stocksync.core.guards import Guard, GuardContext, Limits
from stocksync.core.held_plan import (
    Decision,
    HeldChange,
    HeldPlan,
    by_urgency,
    headline,
    largest_falls,
    plan_for,
    plan_with,
    worst_rows,
)
from stocksync.core.model import Change, Kind, Removal
from stocksync.errors import NotFound

LIMITS = Limits()
NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)


def change(n, before=5, after=4):
    def figure(value):
        return D(value) if isinstance(value, int) else value

    return Change(n, "3", f"S{n}", figure(before), figure(after), ())


@pytest.fixture
def plan(make):
    def planned(changes, negative=(), plans=(), *, managed=100, **other):
        return make_plan(changes, negative, LIMITS, GuardContext("main", make.now, managed, **other), plans)

    return planned


def decided(held, decision=Decision.APPROVED):
    return replace(held, decision=decision, decided_by="Huda")


ZEROES = [change(n, 5, 0) for n in range(16)]
APPROVED = "approved {} by Huda"


def test_a_wipe_of_nearly_everything_is_called_zeroes_and_released_as_a_whole(plan):
    wipe = [change(n, 200, 0) for n in range(86)]
    held = plan(wipe).held
    assert list(held.reasons) == ["zeroed", "changed"]
    assert {one.guards for one in held.changes} == {(Guard.ZEROED, Guard.CHANGED)}
    assert headline(held) == "86 figures would go to 0 (17,200 units)"
    assert len(plan(wipe, plans=[decided(held)]).apply) == 86
    joined = plan([*wipe, change(99, 7, 0)], plans=[decided(held)])
    assert joined.apply == ()
    assert joined.held is not None


def test_a_headline_names_the_worst_first(plan):
    changes = [change(n, 5, -1) for n in range(30)] + [change(n, 7, Removal.DELETED) for n in range(40, 70)]
    held = plan([*changes, change(80), change(81)]).held
    assert headline(held) == (
        "30 figures would go to 0 or below (180 units), 30 rows would be removed (210 units),"
        " 2 other figures would change"
    )
    assert largest_falls(held, 2) == [change(40, 7, Removal.DELETED), change(41, 7, Removal.DELETED)]


def test_an_approved_destruction_applies_as_it_was_shown_and_says_whose_approval_it_was(plan):
    held = plan(ZEROES).held
    result = plan(ZEROES, plans=[decided(held)])
    assert result.held is None
    assert [replace(one, cause="poll") for one in result.apply] == ZEROES
    assert {one.cause for one in result.apply} == {APPROVED.format(held.plan_id)}


def test_a_figure_that_joins_or_moves_lets_the_approval_of_a_destruction_lapse(plan):
    held = plan(ZEROES).held
    for others in ([*ZEROES, change(99, 5, 0)], [change(0, 500, 0), *ZEROES[1:]]):
        result = plan(others, plans=[decided(held)])
        assert result.apply == ()
        assert result.held.decision is Decision.WAITING
        assert result.held.plan_id == held.plan_id, "it is the same episode"
        assert [lapsed.plan_id for lapsed in result.lapsed] == [held.plan_id]


def test_what_is_left_of_an_approved_destruction_stays_approved(plan):
    approved = decided(plan(ZEROES).held)
    rest = approved.only(change.cell for change in ZEROES[10:])
    assert {one.cause for one in plan(ZEROES[10:], plans=[rest]).apply} == {APPROVED.format(rest.plan_id)}
    many = [change(n, 5, 0) for n in range(60)]
    approved = decided(plan(many).held)
    rest = approved.only(change.cell for change in many[20:])
    assert len(plan(many[20:], plans=[rest]).apply) == 40


def test_a_write_whose_acknowledgement_was_lost_is_still_approved(plan):
    approved = decided(plan(ZEROES).held)
    again = plan([change(0, 0, 0), *ZEROES[1:]], plans=[approved])
    assert len(again.apply) == 16
    assert again.lapsed == ()


def test_approved_ordinary_changes_are_applied_one_by_one_while_trade_goes_on(plan):
    changes = [change(n) for n in range(70)]
    approved = decided(plan(changes).held)
    moved = [change(n, 5, 9) for n in range(3)]
    later = plan([*moved, *changes[3:]], plans=[approved])
    assert later.held is None
    assert [replace(one, cause="poll") for one in later.apply] == [*moved, *changes[3:]]
    assert Counter(one.cause for one in later.apply) == {"poll": 3, APPROVED.format(approved.plan_id): 67}
    assert [lapsed.cells for lapsed in later.lapsed] == [{one.cell for one in moved}]
    flood = plan([change(n, 5, 9) for n in range(70)], plans=[approved])
    assert flood.guards == {"changed": 70}


def test_what_each_guard_holds_is_released_by_itself(plan):
    removals = [change(n, 7, Removal.DELETED) for n in range(40, 70)]
    approved = decided(plan([*ZEROES, *removals]).held)
    joined = plan([*ZEROES, *removals, change(99, 7, Removal.DELETED)], plans=[approved])
    assert [one.after for one in joined.apply] == [D(0)] * 16, "nothing has joined the zeroes"
    assert len(joined.held.changes) == 31
    assert [lapsed.cells for lapsed in joined.lapsed] == [{one.cell for one in removals}]


def test_a_part_of_a_plan_can_be_decided_alone(plan):
    others = [change(n) for n in range(20, 85)]
    held = plan([*ZEROES, *others]).held
    zeroes = held.under(Guard.ZEROED)
    assert [one.change for one in zeroes.changes] == ZEROES
    assert list(held.under(Guard.CHANGED).reasons) == ["changed"], "no zero is called a mere change"
    result = plan([*ZEROES, *others], plans=[decided(zeroes), held.under(Guard.CHANGED)])
    assert {one.after for one in result.apply} == {D(0)}
    assert [one.change for one in result.held.changes] == others
    assert result.held.plan_id == held.plan_id


def test_trade_beside_an_approved_wipe_does_not_lose_it(plan):
    wipe = [change(n, 5, 0) for n in range(55)]
    traded = [change(n) for n in range(60, 70)]
    approved = decided(plan([*wipe, *traded]).held)
    moved = [change(n, 5, 8) for n in range(60, 70)]
    later = plan([*wipe, *moved], plans=[approved])
    assert later.held is None
    assert len(later.apply) == 65


def test_an_approved_negative_is_applied_while_another_one_waits(plan):
    first, second = change(1, 5, -1), change(2, 5, -2)
    approved = decided(plan([], negative=[first]).held)
    later = plan([], negative=[first, second], plans=[approved])
    assert [one.cell for one in later.apply] == [first.cell]
    assert [one.change for one in later.held.changes] == [second]


def test_a_flood_of_negatives_is_a_wipe_too(plan):
    held = plan([], negative=[change(n, 5, -1) for n in range(40)]).held
    assert {one.guards for one in held.changes} == {(Guard.ZEROED, Guard.NEGATIVE)}


def test_a_rejected_plan_is_silent_while_trade_goes_on(plan):
    rejected = decided(plan(ZEROES).held, Decision.REJECTED)
    for others in (ZEROES, ZEROES[1:], [*ZEROES, change(90)]):
        result = plan(others, plans=[rejected])
        assert result.held is None
        assert result.open_guards == {}
        assert result.guards == {"zeroed": sum(one.kind is Kind.ZERO for one in others)}
        assert [one.product_id for one in result.apply] == ([90] if change(90) in others else [])


def test_a_rejected_figure_whose_facts_change_is_weighed_anew(plan):
    rejected = decided(plan(ZEROES).held, Decision.REJECTED)
    moved = change(0, 5, 3)
    result = plan([moved, *ZEROES[1:]], plans=[rejected])
    assert result.apply == (moved,)
    assert [lapsed.cells for lapsed in result.lapsed] == [{moved.cell}]


def test_a_second_wipe_beside_a_rejected_one_is_measured_by_what_is_left(plan):
    wipe = [change(n, 5, 0) for n in range(80)]
    rejected = decided(plan(wipe).held, Decision.REJECTED)
    more = [change(n, 5, 0) for n in range(80, 88)]
    result = plan([*wipe, *more], plans=[rejected])
    assert [one.change for one in result.held.changes] == more
    assert result.held.plan_id != rejected.plan_id, "it is another question"
    assert "8 of 20 cells" in result.held.reasons["zeroed"]


def test_doubt_about_a_reading_that_a_person_shared_ends_with_the_doubt(plan):
    changes = [change(1), change(2)]
    rejected = decided(plan(changes, distrusted="why").held, Decision.REJECTED)
    assert plan(changes, plans=[rejected], distrusted="why").apply == ()
    assert len(plan(changes, plans=[rejected]).apply) == 2


def test_doubt_about_a_reading_only_postpones_what_was_approved_before(plan):
    approved = decided(plan(ZEROES).held)
    doubted = plan([*ZEROES, change(50)], plans=[approved], distrusted="why")
    assert doubted.apply == ()
    assert doubted.lapsed == ()
    assert doubted.open_guards == {"cross_check": 1}
    assert len(plan(ZEROES, plans=[approved]).apply) == 16


def test_an_episode_keeps_its_id_and_age_while_the_same_guard_holds(plan, make):
    first = plan(ZEROES).held
    later = make.now + timedelta(hours=5)
    moved = [change(n, 5, 0) for n in range(3, 40)]
    second = make_plan(moved, (), LIMITS, GuardContext("main", later, 100), [first]).held
    assert (second.plan_id, second.created_at) == (first.plan_id, first.created_at)
    assert second.fingerprint != first.fingerprint
    anew = make_plan(ZEROES, (), LIMITS, GuardContext("main", later, 100)).held
    assert anew.plan_id != first.plan_id
    assert make_plan(ZEROES, (), LIMITS, GuardContext("main", later, 100, cause="heal"), [first]).held != second


def test_a_reading_without_all_pages_touches_nothing_that_is_held(plan):
    waiting = plan(ZEROES).held
    seen = ZEROES[:10]
    result = plan([*seen, change(50)], plans=[waiting], complete=False)
    assert result.apply == (change(50),), "ten of sixteen are below the limit, and yet they wait"
    assert result.held == waiting
    result = plan([*seen, change(50)], plans=[decided(waiting)], complete=False)
    assert (result.apply, result.lapsed) == ((change(50),), ())


def test_a_plan_is_found_by_the_beginning_of_its_id_if_only_one_begins_so(plan):
    held = plan(ZEROES).held
    other = replace(held, plan_id="zz" + held.plan_id)
    assert plan_with([held, other], held.plan_id[:3]) == held
    assert plan_with([held, other], "zz") == other
    for asked in ("", "nothing"):
        with pytest.raises(NotFound):
            plan_with([held, other], asked)
    with pytest.raises(NotFound, match="several"):
        plan_with([held, replace(held, plan_id=held.plan_id[:4] + "z")], held.plan_id[:4])


def test_a_plan_is_meant_by_its_account_or_guard_where_only_one_waits(plan):
    held = plan(ZEROES).held
    other = replace(held, account="branch", plan_id="0ther")
    assert plan_for([held, other], "", "branch", None) == other
    assert plan_for([held], "", None, Guard.ZEROED) == held
    assert plan_for([decided(held), other], "", None, None) == other, "nobody is asked about what is decided"
    assert plan_for([decided(held), other], held.plan_id[:4], None, None) == decided(held)
    for known, account, guard, said in [
        ([held, other], None, None, "several plans wait: name one by its id .*16 figures would go to 0"),
        ([held], "main", Guard.DELETED, "nothing of main under the guard deleted waits"),
        ([], "main", None, "nothing of main waits"),
    ]:
        with pytest.raises(NotFound, match=said):
            plan_for(known, "", account, guard)
    with pytest.raises(NotFound):
        plan_for([held], held.plan_id, "branch", None)


FIGURES = st.sampled_from([D(-1), D(0), D(3), D(5), Removal.DEACTIVATED, Removal.DELETED])
CHANGES = st.dictionaries(st.integers(1, 30), st.tuples(st.sampled_from([D(5), D(9), None]), FIGURES), max_size=30).map(
    lambda chosen: [change(n, before, after) for n, (before, after) in chosen.items()]
)
GUARDS = st.lists(st.sampled_from(list(Guard)), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def held_plans(draw, now):
    plans = []
    for decision in Decision:
        taken = {one.cell for plan in plans for one in (held.change for held in plan.changes)}
        found = [one for one in draw(CHANGES) if one.cell not in taken]
        if found:
            held = tuple(HeldChange(one, draw(GUARDS)) for one in found)
            plans.append(HeldPlan("main", decision.value, now, {}, held, decision, "Huda"))
    return plans


def figures(one):
    return one.cell, one.sku, one.before, one.after


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_nothing_that_a_guard_holds_is_written_without_an_approval_of_exactly_it(data):
    plans = data.draw(held_plans(NOW))
    repeated = [held.change for plan in plans for held in plan.changes if data.draw(st.booleans())]
    every = list({one.cell: one for one in (*data.draw(CHANGES), *repeated)}.values())
    below = {one.cell for one in every if one.after == D(-1) and data.draw(st.booleans())}
    facts = GuardContext(
        "main", NOW, 30, total=data.draw(st.sampled_from([None, 10])), recent_totals=[30],
        distrusted=data.draw(st.sampled_from(["", "a lie"])), complete=data.draw(st.booleans()),
    )  # fmt: skip
    result = weigh(every, below, LIMITS, facts, plans)

    approved, rejected, waiting = by_decision(plans, facts)
    unapproved = [one for one in result.apply if figures(one) not in approved]
    assert not {figures(one) for one in unapproved} & rejected
    asked = [one for one in every if figures(one) not in approved | rejected]
    if not facts.complete:
        assert not {one.cell for one in unapproved} & waiting
        assert result.lapsed == ()
        asked = [one for one in asked if one.cell not in waiting]
    left_out = sum(figures(one) in rejected for one in every)
    alone = weigh(asked, below, replace(LIMITS, minimum_cells=0), replace(facts, managed=30 - left_out))
    assert not {figures(one) for one in unapproved} & {figures(one.change) for one in alone.holds}
    found = Counter([one.cell for one in result.apply] + [one.change.cell for one in result.holds])
    assert found == Counter(one.cell for one in every), "each change is either written or held"


def weigh(changes, below, limits, facts, plans=()):
    negative = [one for one in changes if one.cell in below]
    return make_plan([one for one in changes if one.cell not in below], negative, limits, facts, plans)


def by_decision(plans, facts):
    """Give what is approved and rejected by its exact figures, and the cells that wait."""
    held = [(plan.decision, one) for plan in plans for one in plan.changes]
    approved = {figures(one.change) for decision, one in held if decision is Decision.APPROVED}
    # A rejected reading that is no longer doubted is weighed like any other.
    sure = [one for decision, one in held if decision is Decision.REJECTED]
    sure = [one for one in sure if facts.distrusted or one.guards != (Guard.CROSS_CHECK,)]
    waiting = {one.change.cell for decision, one in held if decision is Decision.WAITING}
    return approved, {figures(one.change) for one in sure}, waiting


def test_names_of_products_and_locations_stand_beside_what_is_held():
    held = HeldPlan("main", "7f3a", NOW, {}, (HeldChange(change(1), ()), HeldChange(change(2), (), name="known")))
    named = held.named({1: "Widget"}).located({"3": "Main"})
    assert [(one.change, one.name, one.location) for one in named.changes] == [
        (change(1), "Widget", "Main"), (change(2), "known", "Main"),
    ]  # fmt: skip
    assert [one.location for one in named.located({}).changes] == ["", ""]
    assert replace(named, changes=()) == replace(held, changes=())


def test_the_largest_falls_are_shown_first_and_then_the_others_in_order():
    changes = [change(1, 5, 9), change(2, 5, 4), change(3, 90, 0), change(4, 5, 6)]
    held = HeldPlan("main", "7f3a", NOW, {}, tuple(HeldChange(one, ()) for one in changes))
    assert [one.change.product_id for one in worst_rows(held, 4)] == [3, 2, 1, 4]
    assert [one.change.product_id for one in worst_rows(held, 3)] == [3, 2, 1]
    assert [one.change.product_id for one in worst_rows(held, 1)] == [3]


def plan_of(*changes, plan_id="7f3a", guards=(Guard.ZEROED,), **given):
    held = tuple(HeldChange(change, guards) for change in changes)
    return HeldPlan("main", plan_id, NOW, {guards[0]: "why"}, held, **given)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (plan_of(), "nothing would change"),
        (plan_of(change(1, D(1), D(0))), "1 figure would go to 0 (1 unit)"),
        (plan_of(change(1, D(2), D(0))), "1 figure would go to 0 (2 units)"),
        (plan_of(change(1, D(1), Removal.DELETED)), "1 row would be removed (1 unit)"),
        (plan_of(change(1, D(1), D(2)), change(2, D(1), D(2))), "2 figures would change"),
        (plan_of(change(1, D(1), D(2)), cause="heal"), "1 figure would be put back"),
    ],
)
def test_a_plan_says_what_it_would_do(held, words):
    assert headline(held) == words


def test_what_falls_most_comes_first_and_what_does_not_fall_not_at_all():
    half, same, new = change(1, D("1.5"), D(1)), change(2, D(3), D(3)), change(3, None, D(1))
    assert largest_falls(plan_of(new, same, half), 5) == [half]


def test_a_plan_is_found_by_the_beginning_of_its_id_and_its_parts_come_together():
    parts = [
        plan_of(change(2, D(1), D(0))),
        plan_of(change(1, D(9), D(2)), guards=(Guard.CHANGED,)),
        plan_of(plan_id="7f3b"),
    ]
    found = plan_with(parts, "7f3a")
    assert [held.change.product_id for held in found.changes] == [1, 2]
    assert found.reasons == {Guard.ZEROED: "why", Guard.CHANGED: "why"}
    assert plan_with(parts[2:], "7").plan_id == "7f3b"
    with pytest.raises(NotFound, match=r"^several plans begin with 7f: 7f3a, 7f3b$"):
        plan_with(parts, "7f")
    with pytest.raises(NotFound, match=r"^no plan 8 is held"):
        plan_with(parts, "8")
    exact = [plan_of(plan_id="7f"), *parts]
    assert plan_with(exact, "7f").plan_id == "7f"


def test_plans_that_wait_come_before_those_that_are_decided():
    healing, rejected = plan_of(cause="heal"), plan_of(decision=Decision.REJECTED)
    approved, polled = plan_of(decision=Decision.APPROVED), plan_of()
    later = replace(polled, created_at=NOW + timedelta(minutes=1))
    given = [rejected, approved, healing, later, polled]
    assert by_urgency(given) == [polled, later, healing, approved, rejected]
