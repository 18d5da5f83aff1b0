"""Attempts within a transaction that is rolled back: what the database refuses, and what a person does about it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.ports import Trial
from stocksync.sqlengine import Fault, fault_of, reason
from stocksync.targets.settings import TargetSettings

_DENIED = {"42501", 1044, 1142, 1143, 1227, 1370}
_READ_ONLY = {"25006", 1290, 1792, 1836}
_LOCKED = {"55P03", 1205, 1969}
_NEEDS_VALUE = {"23502", 1364, 1048}
_MISSING_PARENT = {"23503", 1216, 1452}
_TAKEN = {"23505", 1062}
_DUPLICATE_COLUMN = {1060}


@dataclass(slots=True)
class _Refusal:
    code: object
    fault: Fault
    steps: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Attempts:
    """Runs one statement after the other, each within a savepoint, and collects what was refused."""

    connection: AsyncConnection
    settings: TargetSettings
    lacking: tuple[str, ...] = ()
    """Columns that must be given and are not mapped."""
    _refused: dict[str, _Refusal] = field(default_factory=dict)

    async def run(self, step: str, action: Callable[[], Awaitable[Any]], *, made_up: bool = False) -> bool:
        """Try one step; what stands only in a row that was made up for the rehearsal is no refusal."""
        try:
            async with self.connection.begin_nested():
                await action()
        except (StatementError, OverflowError, UnicodeError) as error:
            if isinstance(error, DBAPIError) and (error.connection_invalidated or fault_of(error) is Fault.CONFLICT):
                raise
            code, fault = _code(error), fault_of(error)
            if code in _TAKEN or (made_up and fault is Fault.DATA and not _needs_value(code, error)):
                return False
            self._refused.setdefault(reason(error), _Refusal(code, fault)).steps.append(step)
            return False
        return True

    def found(self) -> list[Trial]:
        """Give what was refused, one finding for one cause."""
        return [self._trial(words, refusal) for words, refusal in self._refused.items()]

    def _trial(self, words: str, refusal: _Refusal) -> Trial:
        steps = list(dict.fromkeys(refusal.steps))
        fails = f"{', '.join(steps)} would fail: {words}"
        return Trial(fails, self._cure(words, refusal.code, steps), blocks=refusal.code not in _LOCKED)

    def _cure(self, words: str, code: object, steps: list[str]) -> str:
        where, table = self.settings.where, self.settings.table
        if code in _DENIED or "permission denied" in words:
            return f"let an administrator of the database run: {self._grant(steps)}"
        if code in _READ_ONLY or "readonly" in words:
            return f"{where}.url must lead to a server, a session and a user (or a file) that may write"
        if code in _LOCKED:
            return "another transaction holds the row: end it, then check again"
        if _needs_value(code, words):
            columns = ", ".join(self.lacking) or "such columns"
            return f'give {columns} a default, or set missing = "skip" so that only rows that are there are updated'
        if code in _MISSING_PARENT or "FOREIGN KEY" in words:
            return f"make the rows it refers to first (or correct accounts.{self.settings.account}.locations.map)"
        if self.settings.statements is not None:
            return f"correct {where}.statements"
        return f"correct {where} and the table {table}, then check again"

    def _grant(self, steps: list[str]) -> str:
        user = self.connection.engine.url.username or "the user"
        if steps == [CREATE]:
            schema = self.settings.table.partition(".")[0] if "." in self.settings.table else "public"
            if self.connection.dialect.name == "postgresql":
                return f"GRANT CREATE ON SCHEMA {schema} TO {user} (or name a schema of its own in target.table)"
            return f"GRANT CREATE ON {self.connection.engine.url.database}.* TO {user}"
        rights = [right for right in ("SELECT", "UPDATE", "INSERT", "DELETE") if any(right in step for step in steps)]
        # A row lock asks for the right to update.
        if LOCK in steps and "UPDATE" not in rights:
            rights.append("UPDATE")
        if self.settings.statements is not None:
            return f"GRANT the rights that the statement needs TO {user}"
        return f"GRANT {', '.join(rights) or 'SELECT, UPDATE, INSERT'} ON {self.settings.table} TO {user}"


CREATE = "CREATE TABLE"
LOCK = "SELECT … FOR UPDATE"


def is_expected(error: BaseException) -> bool:
    """Whether MySQL refused only the column that a rehearsed CREATE names twice."""
    return _code(error) in _DUPLICATE_COLUMN


def _needs_value(code: object, error: object) -> bool:
    return code in _NEEDS_VALUE or "NOT NULL constraint failed" in str(error)


def _code(error: BaseException) -> object:
    original: Any = error.orig if isinstance(error, StatementError) else error
    arguments = getattr(original, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    return getattr(original, "sqlstate", None)
