"""The column mapping held against the columns that are there."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Named
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import types
from sqlalchemy.dialects.postgresql import DOMAIN

from stocksync.targets import codecs, keys
from stocksync.targets.settings import TargetSettings

_LISTED = 40
Codec = TypeVar("Codec")


def choice(wanted: str, there: Iterable[str]) -> str:
    """Say which name may have been meant, and which there are."""
    names = sorted(there)
    if not names:
        return "; there is none at all"
    folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.casefold(), folded, n=1)
    hint = f", did you mean {folded[close[0]]!r}?" if close else ""
    rest = ", …" if len(names) > _LISTED else ""
    return f"{hint} (there is: {', '.join(names[:_LISTED])}{rest})"


def base_type(kind: types.TypeEngine[Any]) -> types.TypeEngine[Any]:
    """Give what a domain, perhaps one over another domain, is made of."""
    while isinstance(kind, DOMAIN):
        kind = kind.data_type
    return kind


class Mapping:
    """The mapped columns, one codec each; what is wrong is collected, so that all of it is told at once."""

    def __init__(
        self, settings: TargetSettings, dialect: str, reflected: Named[str, Any], letters: Named[str, keys.CharacterSet]
    ) -> None:
        self._settings = settings
        self._dialect = dialect
        self._reflected = reflected
        self._letters = letters
        self._taken: dict[str, str] = {}
        self.problems: list[str] = []

    def key(self, field: str, *, required: bool = False) -> keys.Key | None:
        """Choose for a field that finds rows, or goes along with them."""
        if required and getattr(self._settings.columns, field) is None:
            self.problems.append(f"{self._at(field)}: rows are matched by it, so it needs a column")
        letters = self._letters.get(getattr(self._settings.columns, field))
        make = partial(keys.key_of, field=field, dialect=self._dialect, letters=letters)
        return self._serve(field, make, "text or whole numbers")

    def quantity(self) -> codecs.Quantity | None:
        """Choose for the quantity."""
        name = self._settings.columns.quantity
        if self._reflected.get(name, {}).get("computed"):
            self.problems.append(f"{self._at('quantity')}: column {name!r} is generated: the database alone fills it")
            return None
        return self._serve("quantity", partial(codecs.quantity_of, dialect=self._dialect), "a number")

    def stamp(self) -> codecs.Stamp | None:
        """Choose for the instant of writing."""
        return self._serve("updated_at", codecs.stamp_of, "a date and time")

    def flag(self) -> codecs.Flag | None:
        """Choose for the flag."""
        return self._serve("active", partial(codecs.flag_of, dialect=self._dialect), "a boolean or an integer")

    def _serve(self, field: str, make: Callable[..., Codec], wanted: str) -> Codec | None:
        name = getattr(self._settings.columns, field)
        if name is None:
            return None
        if name in self._taken:
            self.problems.append(f"{self._at(field)}: column {name!r} serves {self._taken[name]} already")
            return None
        self._taken[name] = field
        if name not in self._reflected:
            table = self._settings.table
            self.problems.append(
                f"{self._at(field)}: table {table!r} has no column {name!r}{choice(name, self._reflected)}"
            )
            return None
        kind = base_type(self._reflected[name]["type"])
        try:
            return make(name=name, kind=kind)
        except codecs.WrongType:
            self.problems.append(f"{self._at(field)}: column {name!r} is {kind!r}, but {field} needs {wanted}")
            return None

    def _at(self, field: str) -> str:
        return f"{self._settings.where}.columns.{field}"
