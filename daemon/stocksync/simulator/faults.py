"""The faults in force: their grammar, and which of them a request meets.

place=kind            all=timeout, page-3=stall, product-10=no-inventories
place=kindxTIMES      page-2=500x3: three times, then no more
place=kind:argument   product-10=bad-stock:null, all=429x5:retry=2
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stocksync.errors import ConfigurationError
from stocksync.simulator.fault_kinds import KINDS, NUMBERED, PLACES, Kind, Phase

_GRAMMAR = re.compile(
    r"(?P<place>[a-z]+)(?:-(?P<number>\d+))?=(?P<kind>[a-z0-9-]+?)(?:x(?P<times>[1-9]\d*))?(?::(?P<argument>.*))?",
    re.DOTALL,
)
_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Route:
    """What a request is for, as faults see it."""

    endpoint: str
    """list, product, inventories, token or other."""
    number: int = 0
    """The page, or the product's id."""


@dataclass(slots=True)
class Fault:
    """One fault in force."""

    text: str
    place: str
    number: int
    kind: Kind
    size: int
    """The number that ends the kind's name, or the status."""
    argument: str | None
    left: int | None
    """How often it will still strike; None: for ever."""
    hits: int = 0

    def meets(self, route: Route) -> bool:
        """Say whether a request of this route comes past this fault."""
        if self.place == "all":
            return route.endpoint in {"list", "product", "inventories"}
        if self.place == "page":
            return route == Route("list", self.number)
        if self.place == "product":
            return route == Route("product", self.number)
        return self.place == route.endpoint

    def strike(self) -> None:
        """Count one hit."""
        self.hits += 1
        if self.left is not None:
            self.left -= 1


def parse(text: str) -> Fault:
    """Read one fault.

    Raises:
        ConfigurationError: it is not in the grammar, or there is no such fault at this place.

    """
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(f"fault {text!r}: expected place=kind, such as page-2=500x3 or all=timeout")
    place, argument = match["place"], match["argument"]
    kind, size = _kind(text, match["kind"])
    if place not in PLACES:
        raise ConfigurationError(f"fault {text!r}: no place {place!r}; there are {', '.join(PLACES)}")
    if place not in kind.places:
        raise ConfigurationError(f"fault {text!r}: {kind.name} happens at {', '.join(kind.places)}, not at {place}")
    if (match["number"] is not None) != (place in NUMBERED):
        wanted = f"{place}-N with a number" if place in NUMBERED else f"{place} without a number"
        raise ConfigurationError(f"fault {text!r}: write {wanted}")
    _check_argument(text, kind, argument)
    times = int(match["times"]) if match["times"] else (1 if kind.once else None)
    return Fault(text.strip(), place, int(match["number"] or 0), kind, size, argument, times)


def _kind(text: str, name: str) -> tuple[Kind, int]:
    if re.fullmatch(r"[45]\d\d", name):
        return _BY_NAME.get(name, _BY_NAME["NNN"]), int(name)
    if name in _BY_NAME and not name.endswith("N"):
        return _BY_NAME[name], 0
    stem, _, number = name.rpartition("-")
    if number.isdecimal() and int(number) > 0 and f"{stem}-N" in _BY_NAME:
        return _BY_NAME[f"{stem}-N"], int(number)
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_BY_NAME)}"
    raise ConfigurationError(f"fault {text!r}: no kind {name!r}; {hint}")


_ARGUMENTS = {
    "429": r"retry=(none|(date-)?\d+)",
    "nothing": r"bare",
    "huge": r"\d{1,4}",
    "gzip-bomb": r"\d{1,4}",
    "drip": r"\d+(\.\d+)?",
    "slow": r"\d+(\.\d+)?",
    "stock-as": r"string|number|integer",
    "track-as": r"bit|bool|text",
    "set": r"[^=]+=.+",
    "drop": r".+",
    "bad-stock": r".+",
    "rotate": r".+",
    "wrong-total": r"[+-]?\d+",
    "delete-between-pages": r"\d+",
    "delete-before": r"\d+",
    "set-before": r"\d+/\d+=-?\d+(\.\d+)?",
}


def _check_argument(text: str, kind: Kind, argument: str | None) -> None:
    if argument is None:
        if kind.required:
            raise ConfigurationError(f"fault {text!r}: {kind.name} needs :{kind.argument}")
        return
    if not kind.argument:
        raise ConfigurationError(f"fault {text!r}: {kind.name} takes no argument")
    if not re.fullmatch(_ARGUMENTS.get(kind.name, ".*"), argument, re.DOTALL):
        raise ConfigurationError(f"fault {text!r}: the argument of {kind.name} is {kind.argument}")


class Faults:
    """The faults in force, in the order they were added."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._faults: list[Fault] = []
        self.add(*texts)

    def __iter__(self) -> Iterator[Fault]:
        """Go through the faults, worn-out ones included."""
        return iter(self._faults)

    def add(self, *texts: str) -> list[Fault]:
        """Put faults in force; all of them, or none where one cannot be read.

        Raises:
            ConfigurationError: one line for every text that cannot be read.

        """
        problems: list[str] = []
        faults: list[Fault] = []
        for text in texts:
            try:
                faults.append(parse(text))
            except ConfigurationError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigurationError(problems)
        self._faults.extend(faults)
        return faults

    def remove(self, text: str) -> bool:
        """End the faults written so; False where there was none."""
        kept = [fault for fault in self._faults if fault.text != text.strip()]
        found = len(kept) < len(self._faults)
        self._faults = kept
        return found

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def live(self, *phases: Phase) -> list[Fault]:
        """Give the faults of these phases that can still strike."""
        return [fault for fault in self._faults if fault.left != 0 and fault.kind.phase in phases]

    def meeting(self, route: Route, *phases: Phase) -> list[Fault]:
        """Give the faults of these phases that a request comes past."""
        return [fault for fault in self.live(*phases) if fault.meets(route)]
