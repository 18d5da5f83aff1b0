"""From raw figures to the quantity the target should hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from functools import lru_cache, reduce
from typing import NamedTuple

from stocksync.core.answers import Step
from stocksync.core.model import Figure, Removal, SourceFigures, show

_EXACT = Context(prec=10_000)
"""Python's 28 digits round a longer figure in silence, or raise."""
_own_place = lru_cache(maxsize=4096)(str)  # one text for a location, not one for each of its cells


class Negative(StrEnum):
    """What becomes of a figure below zero."""

    PASS = "pass"  # noqa: S105  a word of the configuration, no password
    ZERO = "zero"
    HOLD = "hold"


class Rounding(StrEnum):
    """What becomes of decimals the target's column cannot keep."""

    FLOOR = "floor"
    NEAREST = "nearest"
    REJECT = "reject"


class OnRemoved(StrEnum):
    """What becomes of the target row of a product that is gone or no longer tracked."""

    DEACTIVATE = "deactivate"
    DELETE = "delete"
    ZERO = "zero"
    KEEP = "keep"

    @property
    def figure(self) -> Figure | None:
        """The figure it asks for; None where the row is left alone."""
        return _REMOVED[self]


class Unmapped(StrEnum):
    """What becomes of a location that the map does not name."""

    AS_IS = "as_is"
    IGNORE = "ignore"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Policy:
    """The configured rules of one account, and what the target's column can hold."""

    negative: Negative = Negative.PASS
    rounding: Rounding = Rounding.FLOOR
    buffer: Decimal = Decimal(0)
    on_deleted: OnRemoved = OnRemoved.DEACTIVATE
    on_untracked: OnRemoved = OnRemoved.KEEP
    on_unmapped: OnRemoved = OnRemoved.KEEP
    """For a row at a place that no location feeds any more, as the location map was changed."""
    scale: int | None = None
    """Decimal places the target keeps; None for any number."""

    def leaves_alone(self, raw: Decimal) -> bool:
        """Whether neither the negative rule, the buffer nor the column's decimals touch a figure."""
        if self.buffer or (raw < 0 and self.negative is not Negative.PASS):
            return False
        if self.scale is None:
            return True
        exponent = raw.as_tuple().exponent
        return isinstance(exponent, int) and -exponent <= self.scale


@dataclass(frozen=True, slots=True)
class LocationMap:
    """Which target place each Qoyod location feeds."""

    map: Mapping[int, str] = field(default_factory=dict)
    unmapped: Unmapped = Unmapped.AS_IS
    summed: bool = False
    """One figure per product, over the mapped locations alone: an empty map never widens."""

    def of(self, location: int) -> str | None:
        """Give the place of a location; None where it feeds none.

        An id that is also the value of another location's place is no place of its own: that would be a sum nobody
        asked for.
        """
        if self.summed:
            return "" if location in self.map else None
        mapped = self.map.get(location)
        if (
            mapped is None
            and self.unmapped is Unmapped.AS_IS
            and (own := _own_place(location)) not in self.map.values()
        ):
            return own
        return mapped

    def names(self, locations: Mapping[int, str]) -> dict[str, str]:
        """Name each place by the locations that feed it: people know "Riyadh Outlet", not 3."""
        found: dict[str, list[str]] = {}
        for location, name in sorted(locations.items()):
            place = self.of(location)
            if place and name:
                found.setdefault(place, []).append(name)
        return {place: " + ".join(names) for place, names in found.items()}

    @property
    def ignores(self) -> bool:
        """Whether a location that feeds no place is nobody's business; else it waits for a person."""
        return self.unmapped is Unmapped.IGNORE or (self.summed and self.unmapped is Unmapped.AS_IS)


class PolicyResult(NamedTuple):
    """A desired quantity, and what was done to get it."""

    figure: Decimal
    held: bool = False
    """The figure is negative and the policy wants a person."""
    refused: str = ""
    """Why the figure cannot be written at all."""
    discrepancies: tuple[str, ...] = ()


def total_of(parts: SourceFigures) -> Decimal:
    """Add a cell's raw figures up."""
    if len(parts) == 1:
        return parts[0][1]
    return reduce(_EXACT.add, (quantity for _, quantity in parts), Decimal(0))


def settle(raw: Decimal, policy: Policy) -> PolicyResult:
    """Apply the policy: negative, buffer, rounding."""
    if policy.leaves_alone(raw):
        return PolicyResult(raw)
    floored = _floor(raw, policy)
    kept = _keep_back(floored, policy)
    rounded = _round(kept, policy)
    names = [("negative_floored", floored != raw), ("fraction_rounded", rounded is not None and rounded != kept)]
    return PolicyResult(
        figure=kept if rounded is None else rounded,
        held=raw < 0 and policy.negative is Negative.HOLD,
        refused="" if rounded is not None else f"{show(kept)} has more decimals than the target's column keeps",
        discrepancies=tuple(name for name, happened in names if happened),
    )


def steps(parts: SourceFigures, place: str, policy: Policy, names: Mapping[int, str]) -> Iterator[Step]:
    """Tell how `settle` came to its figure, one line per step."""
    for location, quantity in parts:
        yield Step("raw", show(quantity), f"Qoyod location {location} {names.get(location, '')}".rstrip())
    raw = total_of(parts)
    yield Step("location map", show(raw), f"to {place!r}" if place else "one figure per product")
    floored = _floor(raw, policy)
    yield Step("negative", show(floored), f"policy.negative = {policy.negative}")
    kept = _keep_back(floored, policy)
    yield Step("buffer", show(kept), f"policy.buffer = {show(policy.buffer)}, never below zero by itself")
    rounded = _round(kept, policy)
    column = "keeps any number" if policy.scale is None else f"keeps {policy.scale} decimals"
    why = f"policy.rounding = {policy.rounding}, the column {column}"
    yield Step("rounding", "refused" if rounded is None else show(rounded), why)


def _floor(raw: Decimal, policy: Policy) -> Decimal:
    return Decimal(0) if raw < 0 and policy.negative is Negative.ZERO else raw


def _keep_back(raw: Decimal, policy: Policy) -> Decimal:
    return max(_EXACT.subtract(raw, policy.buffer), min(raw, Decimal(0)))


def _round(raw: Decimal, policy: Policy) -> Decimal | None:
    if policy.scale is None:
        return raw
    mode = ROUND_FLOOR if policy.rounding is Rounding.FLOOR else ROUND_HALF_EVEN
    rounded = raw.quantize(Decimal((0, (1,), -policy.scale)), rounding=mode, context=_EXACT)
    return None if policy.rounding is Rounding.REJECT and rounded != raw else rounded


_REMOVED: Mapping[OnRemoved, Figure | None] = {
    OnRemoved.DEACTIVATE: Removal.DEACTIVATED,
    OnRemoved.DELETE: Removal.DELETED,
    OnRemoved.ZERO: Decimal(0),
    OnRemoved.KEEP: None,
}
