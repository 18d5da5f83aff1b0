"""Attempts within a transaction that is rolled back: what the database refuses, and what a person does about it."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.ports import Trial
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.targets.faults import code_of
from stocksync.targets.rights import give_a_value
from stocksync.targets.settings import TargetSettings

CREATE = "CREATE TABLE"
LOCK = "SELECT … FOR UPDATE"
AFTER_BATCH = "`after_batch`"

_DENIED = {"42501", 1044, 1142, 1143, 1227, 1370}
_DENIED_OBJECT = re.compile(r'permission denied for (sequence|schema|function|view) "?([^"\s]+)')
_NEEDS_VALUE = {"23502", 1364, 1048}
_MISSING_PARENT = {"23503", 1216, 1452}
_OF_ITS_VALUES = {*_MISSING_PARENT, "23505", "23514", 1062, 4025}
_OF_ITS_VALUES_ON_SQLITE = re.compile(r"(UNIQUE|FOREIGN KEY|CHECK) constraint failed")
_OF_ANOTHER_TYPE = {"42883", "42804"}
_POSTGRESQL_CAST = re.compile(r":\w+::")
_DUPLICATE_COLUMN = {1060}
_WRITES = ("UPDATE", "INSERT", "`write`")


@dataclass(slots=True)
class _Refusal:
    code: object
    fault: Fault
    steps: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Attempts:
    """Runs one statement after the other, each within a savepoint, and collects what was refused."""

    connection: AsyncConnection
    settings: TargetSettings
    lacking: tuple[str, ...] = ()
    """Columns that must be given and are not mapped."""
    _refused: dict[str, _Refusal] = field(default_factory=dict)
    _passed: Counter[str] = field(default_factory=Counter)

    async def run(
        self, step: str, action: Callable[[], Awaitable[Any]], *, made_up: bool = False, savepoint: bool = True
    ) -> bool:
        """Try one step; what stands only in a row that was made up for the rehearsal is no refusal."""
        try:
            async with self.connection.begin_nested() if savepoint else nullcontext() as begun:
                await action()
                if self.connection.dialect.name == "postgresql":
                    # What it would find out at COMMIT alone, as with Django's deferred keys: there is none here.
                    await self.connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
                if begun is not None and step != CREATE:
                    await begun.rollback()
        except (StatementError, OverflowError, UnicodeError) as error:
            fault = Fault.DATA if isinstance(error, OverflowError | UnicodeError) else fault_of(error)
            if fault in {Fault.AWAY, Fault.BUSY, Fault.CONFLICT, Fault.READ_ONLY, Fault.CANCELLED}:
                raise
            # Other values may well go in: a parent that is not there, a key that is taken, a range.
            constrained = code_of(error) in _OF_ITS_VALUES or _OF_ITS_VALUES_ON_SQLITE.search(str(error))
            if not (made_up and constrained and "no partition" not in str(error)):
                self._refused.setdefault(reason(error), _Refusal(code_of(error), fault)).steps[step] += 1
            return False
        self._passed[step] += not made_up
        return True

    def found(self) -> list[Trial]:
        """Give what was refused, one finding for one cause."""
        trials = []
        for words, refusal in self._refused.items():
            steps, blocks = list(refusal.steps), False
            if refusal.fault is Fault.LOCKED:
                what, cure = f"{', '.join(steps)} waited in vain: {words}", "end that transaction"
            elif self._is_of_some_rows(refusal, words):
                tried = sum(self._passed[step] + refusal.steps[step] for step in steps)
                what = f"{refusal.steps.total()} of {tried} rows tried would be set aside: {words}"
                cure = self._cure(words, refusal.code, steps)
            else:
                what, blocks = f"{', '.join(steps)} would fail: {words}", True
                cure = self._cure(words, refusal.code, steps)
            trials.append(Trial(what, cure, blocks=blocks))
        return trials

    def _is_of_some_rows(self, refusal: _Refusal, words: str) -> bool:
        """Whether other rows go in: of the same kind, or of any where only one of that kind was tried."""
        if refusal.fault is not Fault.DATA or _needs_value(refusal.code, words):
            return False
        alone = refusal.steps.total() == 1 and refusal.steps.keys() <= set(_WRITES)
        return any(self._passed[step] for step in refusal.steps) or (
            alone and any(self._passed[step] for step in _WRITES)
        )

    def _cure(self, words: str, code: object, steps: list[str]) -> str:
        where = self.settings.where
        if code in _DENIED or "permission denied" in words:
            return f"let an administrator of the database run: {self._grant(words, steps)}"
        return f"correct {where}.after_batch" if steps == [AFTER_BATCH] else self._correction(words, code)

    def _correction(self, words: str, code: object) -> str:
        where, table = self.settings.where, self.settings.table
        if "replica identity" in words:
            return f"give {table} a primary key, or run: ALTER TABLE {table} REPLICA IDENTITY FULL"
        if _needs_value(code, words):
            return give_a_value(self.lacking)
        if code in _MISSING_PARENT or "FOREIGN KEY" in words:
            return f"make the rows it refers to first, or correct accounts.{self.settings.account}.locations.map"
        if self.settings.statements is None:
            return f"correct {where} or the table {table}"
        cast = ""
        if code in _OF_ANOTHER_TYPE:
            cast = ": cast the parameter to the column's type, as in :location::int"
        elif self.connection.dialect.name != "postgresql" and _POSTGRESQL_CAST.search(str(self.settings.statements)):
            cast = ": only PostgreSQL knows :location::int; elsewhere it is CAST(:location AS INTEGER)"
        return f"correct {where}.statements{cast}"

    def _grant(self, words: str, steps: list[str]) -> str:
        user, table = self.connection.engine.url.username or "the user", self.settings.table
        if "row-level security" in words:
            kind = steps[0] if len(steps) == 1 and steps[0] in {"INSERT", "UPDATE", "DELETE"} else "ALL"
            clause = "USING (true)" if kind in {"UPDATE", "DELETE", "ALL"} else "WITH CHECK (true)"
            return f"CREATE POLICY stocksync ON {table} FOR {kind} TO {user} {clause}"
        if named := _DENIED_OBJECT.search(words):
            kind, name = named.groups()
            if steps == [CREATE]:
                return f"GRANT CREATE ON SCHEMA {name} TO {user} (or name a schema of its own in target.table)"
            right = {"sequence": "USAGE", "schema": "USAGE", "function": "EXECUTE"}.get(kind)
            return f"GRANT {right} ON {kind.upper()} {name} TO {user}" if right else f"GRANT SELECT ON {name} TO {user}"
        if steps == [CREATE]:
            return f"GRANT CREATE ON {self.connection.engine.url.database}.* TO {user}"
        if self.settings.statements is not None or AFTER_BATCH in steps:
            return f"GRANT the rights that this statement needs TO {user}"
        rights = [right for right in ("SELECT", "UPDATE", "INSERT", "DELETE") if any(right in step for step in steps)]
        # A row lock asks for the right to update, of one column at least.
        if LOCK in steps and "UPDATE" not in rights:
            rights.append("UPDATE")
        return f"GRANT {', '.join(rights)} ON {table} TO {user}"


def is_expected(error: BaseException) -> bool:
    """Whether MySQL refused only the column that a rehearsed CREATE names twice."""
    return isinstance(error, DBAPIError) and code_of(error) in _DUPLICATE_COLUMN


def _needs_value(code: object, words: str) -> bool:
    return code in _NEEDS_VALUE or "NOT NULL constraint" in words
