"""What an error of either database calls for, whichever driver raised it."""

from enum import Enum
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.dsn import cured


class Fault(Enum):
    """What a database error calls for."""

    AWAY = "away"
    """Connection refused or lost, disk full: it may work later."""
    BUSY = "busy"
    """Another holds the whole SQLite file: it may work later."""
    LOCKED = "locked"
    """Another holds a row or a table for longer than we wait."""
    CANCELLED = "cancelled"
    """The server ended a statement that took too long, or a person did."""
    READ_ONLY = "read_only"
    """The server takes no writes, as after a fail-over: the connection is dropped, another one may lead elsewhere."""
    CONFLICT = "conflict"
    """Deadlock or serialization failure: the same transaction may work at once."""
    MISSING = "missing"
    """No such table, column, schema or database: a person must act."""
    DATA = "data"
    """What else the database says no to: these rows will not go in as they are."""
    REFUSED = "refused"
    """Rights, syntax, what it cannot do: of these rows alone or of all, which only a trial can tell."""

    @property
    def passes(self) -> bool:
        """Whether it may work later without anybody's doing."""
        return self not in {Fault.MISSING, Fault.DATA, Fault.REFUSED}


def fault_of(error: BaseException) -> Fault:
    """Say what an error raised by SQLAlchemy or a driver calls for."""
    if isinstance(error, PoolTimeout | OSError | TimeoutError):
        return Fault.AWAY
    if not isinstance(error, DBAPIError):
        return Fault.REFUSED
    fault = _fault_of_driver(error.orig)
    return Fault.AWAY if error.connection_invalidated and fault is not Fault.READ_ONLY else fault


def reason(error: BaseException) -> str:
    """Give the database's own words in one line, without statement, parameters or URL."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    numbered = len(arguments) == 2 and isinstance(arguments[0], int)  # noqa: PLR2004  MySQL's drivers: number, words
    text = str(arguments[1] if numbered else original)
    return cured(" ".join(text.replace("<class '", "").replace("'>:", ":").split())[:300])


def watch_faults(engine: AsyncEngine) -> None:
    """Let an engine follow what its errors mean for its connections."""
    if engine.dialect.name in {"mysql", "mariadb"}:
        event.listen(engine.sync_engine, "handle_error", _tell_a_signal_from_what_it_says)
    event.listen(engine.sync_engine, "handle_error", _drop_where_nothing_can_be_written)


def _drop_where_nothing_can_be_written(context: ExceptionContext) -> None:
    # The server is well and stays connected; all that were connected before are dropped with this connection.
    if _fault_of_driver(context.original_exception) is Fault.READ_ONLY:
        context.is_disconnect = True


def _tell_a_signal_from_what_it_says(context: ExceptionContext) -> None:
    """Give what a trigger's SIGNAL raised the number of a SIGNAL, whatever number it bears: the error is its row's.

    The driver hides the SQLSTATE, so the server is asked for it. One that still answers is not lost.
    https://mariadb.com/kb/en/signal/, https://mariadb.com/kb/en/get-diagnostics/
    """
    original: Any = context.original_exception
    number, *words = original.args or (None,)
    if number not in _MY_CODES or context.connection is None or _fault_of_driver(original) is Fault.REFUSED:
        return
    try:
        cursor = context.connection.connection.cursor()
        cursor.execute("GET DIAGNOSTICS CONDITION 1 @stocksync_no = MYSQL_ERRNO, @stocksync_state = RETURNED_SQLSTATE")
        cursor.execute("SELECT @stocksync_no, @stocksync_state")
        row = cursor.fetchone()
        cursor.close()
    except Exception:  # noqa: BLE001  whatever it is, the first error is the one to be told
        return
    if row is None or None in row or int(row[0]) != number:
        return
    if number in _MY_LOST or str(row[1]).startswith(_MY_MADE_UP):
        original.args = (_MY_SIGNAL, *words)
        context.is_disconnect = False


_PG_CODES = {
    "40001": Fault.CONFLICT,
    "40P01": Fault.CONFLICT,
    "40003": Fault.AWAY,
    "25006": Fault.READ_ONLY,
    "55P03": Fault.LOCKED,
    "42P01": Fault.MISSING,
    "42703": Fault.MISSING,
    "3D000": Fault.MISSING,
    "3F000": Fault.MISSING,
    "57014": Fault.CANCELLED,
}
_PG_CLASSES = {
    **dict.fromkeys(("08", "25", "53", "57", "58"), Fault.AWAY),
    **dict.fromkeys(("0A", "28", "42", "55", "HV", "XX"), Fault.REFUSED),
}
"""A code that is in neither, one that a trigger made up too, is the row's."""
_RAISED_BY = {"pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c"}
"""Source files of PostgreSQL that raise what somebody's own function asked for, with a code of that one's choice.

https://www.postgresql.org/docs/current/protocol-error-fields.html
"""
_MY_CODES = {
    **dict.fromkeys((1020, 1213), Fault.CONFLICT),
    **dict.fromkeys((1205, 3572), Fault.LOCKED),
    **dict.fromkeys((1317, 1969, 3024), Fault.CANCELLED),
    **dict.fromkeys((1290, 1792, 1836), Fault.READ_ONLY),
    **dict.fromkeys((1049, 1054, 1146), Fault.MISSING),
    **dict.fromkeys((0, 1021, 1037, 1040, 1041, 1042, 1043, 1047, 1053, 1077, 1079, 1114), Fault.AWAY),
    **dict.fromkeys((1129, 1158, 1159, 1160, 1161, 1203, 1206, 1226, 1637, 1927), Fault.AWAY),
    **dict.fromkeys((2002, 2003, 2006, 2013, 2014, 2055, 4031), Fault.AWAY),
    **dict.fromkeys((1044, 1045, 1064, 1130, 1142, 1143, 1227, 1288, 1305, 1370, 1471, 1698), Fault.REFUSED),
}
"""As above, a trigger's own SIGNAL apart."""
_MY_LOST = {1053, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031}
_MY_SIGNAL = 1644
_MY_MADE_UP = "45"
"""The class of SQLSTATE that the standard leaves to users."""
_LITE_WORDS = {
    "readonly": Fault.READ_ONLY,
    "locked": Fault.BUSY,
    "busy": Fault.BUSY,
    "disk I/O": Fault.AWAY,
    "full": Fault.AWAY,
    "unable to open": Fault.AWAY,
    "no such table": Fault.MISSING,
    "no such column": Fault.MISSING,
    "syntax error": Fault.REFUSED,
    "no such function": Fault.REFUSED,
    "ambiguous column": Fault.REFUSED,
}


def _fault_of_driver(original: Any) -> Fault:  # noqa: ANN401  each driver has its own
    arguments = getattr(original, "args", ())
    # MySQL's own number first: it says HY000 (anything) as SQLSTATE of lock time-outs and of missing values.
    if arguments and isinstance(arguments[0], int):
        return _MY_CODES.get(arguments[0], Fault.DATA)
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        told = original.__cause__  # the driver's own error, which has all that PostgreSQL tells
        if getattr(told, "server_source_filename", None) in _RAISED_BY:
            return Fault.DATA  # a trigger may say "connection failure": the connection is as well as it was
        fault = _PG_CODES.get(state) or _PG_CLASSES.get(state[:2], Fault.DATA)
        within_a_function = fault is Fault.MISSING and getattr(told, "context", None)
        return Fault.REFUSED if within_a_function else fault
    # SQLite: a constraint and a trigger's words may say anything.
    text, name = str(original), getattr(original, "sqlite_errorname", None) or ""
    if name.startswith("SQLITE_CONSTRAINT") or "constraint failed" in text:
        return Fault.DATA
    return next((fault for words, fault in _LITE_WORDS.items() if words in text), Fault.DATA)
