"""The user's own SQL, with names bound in it."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from sqlalchemy import Dialect, TextClause, text

_CAST = re.compile(r"(?<![:\w\\]):(\w+)::")
"""PostgreSQL's own cast of a bound parameter, which SQLAlchemy takes for neither."""


def clause_of(sql: str) -> TextClause:
    """Give a statement as SQLAlchemy takes it."""
    return text(_CAST.sub(r":\1\\:\\:", sql.strip().rstrip(";")))


def explaining(clause: TextClause, dialect: Dialect) -> str:
    """Give the statement that asks for its plan, with NULL for every bound name."""
    nothing = clause.bindparams(**dict.fromkeys(clause.compile().params))
    return f"EXPLAIN {nothing.compile(dialect=dialect, compile_kwargs={'literal_binds': True})}"


def unknown_names(where: str, clause: TextClause, offered: Sequence[str]) -> list[str]:
    """Say of each bound name that is not offered what may be meant."""
    problems = []
    for bound in sorted(set(clause.compile().params) - set(offered)):
        close = get_close_matches(bound, offered, n=1)
        hint = f", did you mean :{close[0]}?" if close else rf"; where it is text, write \:{bound}"
        problems.append(f"{where}: :{bound} is not bound{hint} (there is: {', '.join(f':{name}' for name in offered)})")
    return problems
