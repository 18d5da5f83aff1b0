"""Why a database cannot be opened, in the words of who has to mend it; never a driver's own."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from stocksync.dsn.sqlite_file import file_of, obstacle
from stocksync.errors import SEE_CHECK
from stocksync.sqlfaults import reason

_NAMES = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
_WRONG_PASSWORD = frozenset({"28P01", 1045})
_NO_ROLE = frozenset({"28000"})
_NO_DATABASE = frozenset({"3D000", 1049})
_NO_ACCESS = frozenset({1044})
_DENIED = frozenset({"42501", 1142, 1143})
_BY_HOST = frozenset({1130})
_READ_ONLY = frozenset({"25006", 1290, 1792, 1836})


@dataclass(frozen=True, slots=True)
class Opening:
    """One database that is to be opened."""

    url: URL
    key: str
    """What a person changes: a key of the configuration, or the variable or file that it names."""

    @property
    def server(self) -> str:
        """Name the kind of server and its address."""
        return f"{_NAMES.get(self.url.get_backend_name(), 'database')} at {self.address}"

    @property
    def address(self) -> str:
        """Host and port, or what stands for them: several hosts, a socket's folder."""
        elsewhere = self.url.query.get("host") or self.url.query.get("unix_socket")
        if elsewhere and not self.url.host:
            return str(elsewhere)
        return f"{self.url.host or 'localhost'}:{self.url.port or _PORTS.get(self.url.get_backend_name(), 0)}"

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return file_of(self.url)

    def describe(self) -> str:
        """Name the database without user and password."""
        if self.path is not None:
            return f"sqlite, {self.path}"
        return f"{self.server}, database {self.url.database}"

    def words(self, error: BaseException) -> tuple[str, str]:
        """Say what is wrong and what to do about it."""
        if self.path is not None and (said := self._of_file(self.path, error)):
            return said
        for cause in causes(error):
            code: object = getattr(cause, "sqlstate", None)
            arguments: tuple[Any, ...] = getattr(cause, "args", ())
            if arguments and isinstance(arguments[0], int) and not isinstance(cause, OSError):
                code = arguments[0]
            if (said := self._of_code(code, reason(cause))) or (said := self._of_network(cause)):
                return said
        return str(error).replace(SEE_CHECK, ""), ""

    def _of_code(self, code: object, words: str) -> tuple[str, str] | None:
        user, database, key = self.url.username, self.url.database, self.key
        grant = f"let an administrator grant it to {user}"
        if words.startswith("SHOW command denied"):
            grant = f"GRANT SELECT on the whole table to {user}: MariaDB shows its columns to nobody with less"
        escapes = "an @ : / ? # or % in it is written %40 %3A %2F %3F %23 %25"
        said = {
            _WRONG_PASSWORD: (f"refuses the password of user {user}", f"correct the password in {key}; {escapes}"),
            _NO_ROLE: (f"lets user {user} not in: {words}", f"name in {key} a role that may log in from here"),
            _NO_DATABASE: (f"has no database {database}", f"correct its name in {key}, or create it"),
            _NO_ACCESS: (
                f"lets user {user} not into database {database}",
                f"GRANT SELECT, INSERT, UPDATE ON {database}.* TO {user}",
            ),
            _DENIED: (f"refuses user {user}: {words}", grant),
            _BY_HOST: ("lets nobody in from this machine", f"allow user {user} from here"),
            _READ_ONLY: (
                f"takes no writes: {words}",
                f"{key} must lead to a server, a session and a user that may write",
            ),
        }
        return next(((f"{self.server} {what}", todo) for codes, (what, todo) in said.items() if code in codes), None)

    def _of_network(self, cause: BaseException) -> tuple[str, str] | None:
        if isinstance(cause, socket.gaierror):
            return f"no host {self.url.host} can be found", f"correct the host in {self.key}"
        refused = isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED
        if refused or isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
            return f"no {self.server} (connection refused)", f"start it, or correct host and port in {self.key}"
        if isinstance(cause, TimeoutError):
            return f"{self.server} does not answer", f"see whether a firewall is between, or correct {self.key}"
        return None

    def _of_file(self, path: Path, error: BaseException) -> tuple[str, str] | None:
        text = " ".join(str(cause) for cause in causes(error))
        if "not a database" in text:
            return f"{path} is not a SQLite database", f"correct {self.key}"
        if barred := obstacle(path):
            what, _, cure = barred.partition(": ")
            return what, cure
        if "readonly" in text:
            return f"{path} takes no writes", f"take mode=ro out of {self.key}, or mount its file system for writing"
        return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what lies behind it."""
    while error is not None:
        yield error
        original = getattr(error, "orig", None)
        if isinstance(original, BaseException):
            yield original
        error = error.__cause__ or error.__context__


def driver_missing(url: URL) -> tuple[str, str]:
    """Say which driver is missing."""
    backend = url.get_backend_name()
    return f"the {_NAMES[backend]} driver is not installed", f"pip install 'stocksync[{_EXTRAS[backend]}]'"
