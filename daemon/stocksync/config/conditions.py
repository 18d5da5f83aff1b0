"""The user's SQL, looked at as text: what would break the statements or the transaction it stands in."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

_TOKENS = re.compile(
    r"""(?P<quoted>'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|`[^`]*`)"""
    r"""|(?P<comment>--[^\n]*|/\*.*?\*/)"""
    r"""|(?P<open>['"`]|/\*)"""
    r"""|(?P<bound>(?<![:\w]):[A-Za-z_]\w*)"""
    r"""|(?P<sign>[();])""",
    re.DOTALL,
)


_STATEMENTS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "CALL", "NOTIFY", "VALUES", "DO")
_WRITES_TO = (
    r"\b(?:into|update(?:\s+(?:or\s+\w+|ignore|low_priority|only))*|delete(?:\s+\w+)*?\s+from(?:\s+only)?)"
    r"\s+(?:[`\"\[]?\w+[`\"\]]?\s*\.\s*)?[`\"\[]?{table}[`\"\]]?(?![\w.])"
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


def statement_flaws(text: str, offered: Sequence[str], table: str) -> Iterator[str]:
    """Say why a text cannot be one statement in a transaction of ours, which must leave the rows of `table` alone."""
    statement = condition_of(text)
    if not statement:
        return
    bare = _TOKENS.sub(lambda token: token[0] if token["bound"] or token[0][0] in '"`' else " ", statement)
    first = bare.split(maxsplit=1)[0].upper().lstrip("(") if bare.strip() else ""
    if first not in _STATEMENTS:
        yield f"begins with {first or 'nothing'}, and is one of {', '.join(_STATEMENTS)}: the transaction is ours"
    name = re.escape(table.rpartition(".")[2])
    if name and re.search(_WRITES_TO.format(table=name), bare, re.IGNORECASE):
        yield f"writes to {table}, whose rows are kept by stocksync alone"
    for token in _TOKENS.finditer(statement):
        if token["bound"] and token["bound"][1:] not in offered:
            close = get_close_matches(token["bound"][1:], offered, n=1)
            hint = f"did you mean :{close[0]}?" if close else f"there are {' '.join(f':{name}' for name in offered)}"
            yield f"binds {token['bound']}; {hint}"
        elif token["open"]:
            yield f"opens {token[0]} and does not close it"
        elif token[0] == ";":
            yield "holds a ; and must be one statement"
