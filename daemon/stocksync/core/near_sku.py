"""Which known product a person means whose word is nobody's SKU: another case, a typing error, an id, a name."""

import shlex
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from stocksync.core.look_alike import folded

_ALIKE = 0.7
"""Share of letters in common, of both together, from which on a SKU may be a misspelt other one."""
_SHOWN = 3


class KnownSku(NamedTuple):
    """A product by what people call it."""

    product_id: int
    sku: str
    name: str


def pieces(typed: str) -> tuple[str, str, str]:
    """Give beginning, middle and end of what loose comparisons see: one slip of the fingers leaves two of them whole.

    A word of fewer than three letters has no pieces: they are "".
    """
    word = folded(typed)
    third = len(word) // 3
    return (word[:third], word[third : len(word) - third], word[len(word) - third :]) if third else ("", "", "")


def nearest(typed: str, known: Iterable[KnownSku]) -> list[KnownSku]:
    """Give what was probably meant, the nearest first: at most three; nothing beside what is the very word."""
    if not typed.strip():
        return []
    scored = sorted((-_likeness(typed, one), one.sku, one.product_id, one) for one in known)
    enough = 1.0 if scored and scored[0][0] == -1.0 else _ALIKE
    return [one for score, _, _, one in scored if -score >= enough][:_SHOWN]


def did_you_mean(typed: str, near: Sequence[KnownSku]) -> str:
    """Ask in one sentence; each SKU stands as it is to be typed. "" where nothing is near."""
    if not near:
        return ""
    *some, last = [_called(typed, one) for one in near]
    return f"did you mean {', '.join(some)}{' or ' if some else ''}{last}?"


def _called(typed: str, one: KnownSku) -> str:
    if not one.sku:
        return f"product {one.product_id}, which has no SKU (stocksync stock --id {one.product_id})"
    sku = shlex.quote(one.sku)
    if typed.strip() == str(one.product_id):
        return f"{sku} (the SKU of product {one.product_id})"
    return f"{sku} ({one.name})" if _same(typed, one.name) else sku


def _likeness(typed: str, one: KnownSku) -> float:
    if typed.strip() == str(one.product_id) or _same(typed, one.name) or (one.sku and _same(typed, one.sku)):
        return 1.0
    return SequenceMatcher(None, folded(typed), folded(one.sku), autojunk=False).ratio()


def _same(one: str, other: str) -> bool:
    return folded(one) == folded(other)
