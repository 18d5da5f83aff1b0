"""A condition in the user's SQL, looked at as text: what would break the statements it stands in."""

import re
from collections.abc import Iterator

_TOKENS = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|`[^`]*`)"""
    r"""|(?P<comment>--[^\n]*|/\*.*?\*/)"""
    r"""|(?P<open>['"`]|/\*)"""
    r"""|(?P<bound>(?<![:\w]):[A-Za-z_]\w*)"""
    r"""|(?P<sign>[();])""",
    re.DOTALL,
)


def condition_of(text: str) -> str:
    """Give the condition without what may stand around it: spaces, and a semicolon at its end."""
    return text.strip().rstrip(";").rstrip()


def flaws(text: str) -> Iterator[str]:
    """Say why a text cannot be one condition."""
    condition, depth = condition_of(text), 0
    if re.match(r"where\b", condition, re.IGNORECASE):
        yield 'is the condition alone, without WHERE: "deleted_at IS NULL"'
    for token in _TOKENS.finditer(condition):
        sign = token[0]
        if token["bound"]:
            yield f"binds {sign}, and nothing is bound here; write the value itself"
        elif token["open"]:
            yield f"opens {sign} and does not close it"
        elif sign == ";":
            yield "holds a ; and must be one condition"
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            break
    if depth:
        yield "has parentheses that do not match"
