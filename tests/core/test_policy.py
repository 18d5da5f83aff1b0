"""From raw figures to the desired quantity."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocksync.core.model import Removal, figure_of, show
from stocksync.core.policy import LocationMap, Negative, OnRemoved, Policy, Rounding, Unmapped, settle, steps

QUANTITIES = st.decimals(-(10**9), 10**9, places=4)


@pytest.mark.parametrize(
    ("raw", "policy", "figure"),
    [
        ("12", Policy(), "12"),
        ("-3", Policy(), "-3"),
        ("-3", Policy(negative=Negative.ZERO), "0"),
        ("-3", Policy(negative=Negative.HOLD), "-3"),
        ("0.5", Policy(negative=Negative.ZERO, buffer=D("0.25")), "0.25"),
        ("10", Policy(buffer=D(3)), "7"),
        ("2", Policy(buffer=D(3)), "0"),
        ("-2", Policy(buffer=D(3)), "-2"),
        ("36.2084", Policy(scale=0), "36"),
        ("36.9", Policy(scale=0, rounding=Rounding.NEAREST), "37"),
        ("-0.5", Policy(scale=0), "-1"),
        ("36.2084", Policy(scale=2), "36.20"),
        ("36.2084", Policy(), "36.2084"),
    ],
)
def test_a_raw_figure_becomes_the_desired_one(raw, policy, figure):
    assert settle(D(raw), policy).figure == D(figure)


def test_a_negative_figure_is_held_only_where_the_policy_says_so():
    assert settle(D(-1), Policy(negative=Negative.HOLD)).held
    assert not settle(D(-1), Policy()).held
    assert not settle(D(1), Policy(negative=Negative.HOLD)).held


def test_rejected_decimals_are_refused_with_the_figure_in_the_reason():
    settled = settle(D("1.5"), Policy(scale=0, rounding=Rounding.REJECT))
    assert "1.5" in settled.refused
    assert not settle(D("2.0"), Policy(scale=0, rounding=Rounding.REJECT)).refused


def test_what_was_done_to_a_figure_is_named():
    policy = Policy(negative=Negative.ZERO, scale=0)
    assert settle(D(-2), policy).discrepancies == ("negative_floored",)
    assert settle(D("2.5"), policy).discrepancies == ("fraction_rounded",)
    assert settle(D(2), policy).discrepancies == ()


@given(QUANTITIES, st.decimals(0, 1000, places=2))
def test_a_buffer_never_makes_a_figure_negative_that_was_not(raw, buffer):
    figure = settle(raw, Policy(buffer=buffer)).figure
    assert figure >= min(raw, D(0))
    assert figure <= raw


@given(QUANTITIES, st.sampled_from(Rounding), st.integers(0, 3), st.sampled_from(Negative))
def test_the_steps_shown_end_at_the_figure_written(raw, rounding, scale, negative):
    policy = Policy(negative=negative, rounding=rounding, scale=scale, buffer=D(1))
    last = list(steps(((3, raw),), "MAIN", policy, {3: "Main"}))[-1]
    settled = settle(raw, policy)
    assert last.value == ("refused" if settled.refused else show(settled.figure))


@given(QUANTITIES)
def test_a_figure_survives_its_text(quantity):
    assert figure_of(show(quantity)) == quantity


def test_removals_survive_their_text():
    assert [figure_of(show(removal)) for removal in Removal] == list(Removal)
    assert figure_of("") is None


def test_an_empty_map_never_widens_a_summed_target():
    assert LocationMap(summed=True).of(3) is None


@pytest.mark.parametrize(
    ("places", "location", "place"),
    [
        (LocationMap(), 3, "3"),
        (LocationMap({3: "MAIN"}), 3, "MAIN"),
        (LocationMap({3: "MAIN"}), 4, "4"),
        (LocationMap({3: "MAIN"}, Unmapped.IGNORE), 4, None),
        (LocationMap({3: "MAIN"}, Unmapped.HOLD), 4, None),
        (LocationMap({3: "x"}, summed=True), 3, ""),
    ],
)
def test_a_location_feeds_the_place_that_the_map_names(places, location, place):
    assert places.of(location) == place


def test_keeping_a_removed_product_asks_for_nothing():
    assert OnRemoved.KEEP.figure is None
    assert OnRemoved.DEACTIVATE.figure is Removal.DEACTIVATED


@pytest.mark.parametrize("figure", ["123456789012345", "-123456789012345", "9" * 40, "1" * 30 + "." + "1" * 30])
def test_a_figure_longer_than_python_s_own_precision_is_settled_exactly(figure: str) -> None:
    assert settle(D(figure), Policy(scale=18, buffer=D(1), rounding=Rounding.FLOOR)).refused == ""
    whole = settle(D("9" * 40), Policy(scale=18, buffer=D(1))).figure
    assert whole == D("9" * 39 + "8")


def test_each_step_is_told_with_its_figure_and_its_rule():
    policy = Policy(negative=Negative.ZERO, buffer=D("2.50"), scale=1, rounding=Rounding.REJECT)
    told = list(steps(((3, D("7.20")), (9, D(-1))), "MAIN", policy, {3: "Main store"}))
    assert [(one.name, one.value, one.why) for one in told] == [
        ("raw", "7.2", "Qoyod location 3 Main store"),
        ("raw", "-1", "Qoyod location 9"),
        ("location map", "6.2", "to 'MAIN'"),
        ("negative", "6.2", "policy.negative = zero"),
        ("buffer", "3.7", "policy.buffer = 2.5, never below zero by itself"),
        ("rounding", "3.7", "policy.rounding = reject, the column keeps 1 decimals"),
    ]
    told = list(steps(((3, D("-7.25")),), "", Policy(), {}))
    assert [(one.name, one.value, one.why) for one in told[1:]] == [
        ("location map", "-7.25", "one figure per product"),
        ("negative", "-7.25", "policy.negative = pass"),
        ("buffer", "-7.25", "policy.buffer = 0, never below zero by itself"),
        ("rounding", "-7.25", "policy.rounding = floor, the column keeps any number"),
    ]
    refused = Policy(scale=0, rounding=Rounding.REJECT)
    assert list(steps(((3, D("0.5")),), "", refused, {}))[-1].value == "refused"


def test_a_place_bears_the_names_of_all_locations_that_feed_it():
    places = LocationMap({3: "MAIN", 7: "MAIN", 9: "SHOP"}, Unmapped.IGNORE)
    named = {9: "Outlet", 7: "Riyadh", 3: "Jeddah", 11: "nobody's"}
    assert places.names(named) == {"MAIN": "Jeddah + Riyadh", "SHOP": "Outlet"}
    assert places.names({3: "", 9: "Outlet"}) == {"SHOP": "Outlet"}
    assert LocationMap().names({3: "Jeddah"}) == {"3": "Jeddah"}


@pytest.mark.parametrize("raw", ["0", "0.5", "3"])
def test_a_figure_that_is_not_below_zero_is_held_by_no_rule_about_negatives(raw):
    assert not settle(D(raw), Policy(negative=Negative.HOLD, buffer=D("0.25"), scale=0)).held


def test_a_figure_that_is_refused_is_told_as_it_is():
    refused = settle(D("0.5"), Policy(scale=0, rounding=Rounding.REJECT))
    assert (refused.figure, bool(refused.refused)) == (D("0.5"), True)
