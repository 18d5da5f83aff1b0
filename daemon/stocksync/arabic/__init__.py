"""Arabic for what our own code says in English; pages and notices share it."""

from collections.abc import Mapping

COMMA = "، "
"""Between the parts of an enumeration."""
SEMICOLON = "؛ "
"""Between sentences."""
UNITS: Mapping[str, str] = {"days": "يوم", "d": "يوم", "h": "س", "min": "د", "s": "ث", "ms": "مث"}
"""Of a length of time, for those of `in_words`."""
SIDES: Mapping[str, str] = {"source": "صف قيود", "target": "الهدف", "waiting": "ينتظر", "column": "عمود"}
"""Where a row was set aside, for those of `core.status.Side`."""
FIGURE_WORDS: Mapping[str, str] = {"deactivated": "أُوقف", "deleted": "حُذف", "nothing": "لا شيء"}
"""What stands where a figure would: a removal, or that there is none."""
