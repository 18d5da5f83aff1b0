"""Arabic for what our own code says in English; pages and notices share it."""

from collections.abc import Mapping

COMMA = "، "
"""Between the parts of an enumeration."""
UNITS: Mapping[str, str] = {"days": "يوم", "d": "يوم", "h": "س", "min": "د", "s": "ث", "ms": "مث"}
"""Of a length of time, for those of `in_words`."""
