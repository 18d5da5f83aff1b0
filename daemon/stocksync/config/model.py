"""The whole configuration, and its sections that belong to no account.

Each key declares its type, its default and one sentence; the example file and the reference are made from them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from stocksync.config.account import AccountConfig
from stocksync.config.fleet import FleetConfig
from stocksync.config.secret import SecretRef
from stocksync.config.section import DatabaseSection, Section
from stocksync.config.tenancy import tenants_of
from stocksync.config.values import (
    DatabaseUrl,
    Listen,
    OptionalWord,
    PositiveDuration,
    SecretAddress,
    Variable,
    split_listen,
)

# systemd starts a service in /, where it may write nothing; several directories are separated by colons.
_RELATIVE_SQLITE = re.compile(r"^(sqlite[\w+]*:///)(?=[^/:?])(?!file:)", re.IGNORECASE)


class StateConfig(DatabaseSection):
    """The database in which stocksync remembers what it read and wrote."""

    url: DatabaseUrl = "sqlite:///stocksync.db"
    """sqlite, postgresql, mysql or mariadb; one with a password comes by url_env, url_file or STOCKSYNC_STATE__URL."""
    keep_ledger: PositiveDuration = timedelta(days=90)
    """How long applied changes are kept for `history` and `explain`."""

    def dsn(self) -> str:
        """Give the URL of the database, read anew; a relative SQLite file stands in systemd's $STATE_DIRECTORY.

        Raises:
            ConfigurationError: the variable or file that should hold it does not.

        """
        folder = self._environ.get("STATE_DIRECTORY", "").partition(":")[0]
        return _RELATIVE_SQLITE.sub(rf"\g<1>/{folder.lstrip('/')}/", super().dsn()) if folder else super().dsn()


class TokenConfig(Section):
    """A token of its own for each program or person that asks over HTTP: each can be taken back alone."""

    name: OptionalWord = ""
    """Who uses it, for your eyes."""
    role: Literal["read", "refresh"] = "read"
    """read: look at everything; refresh: also have Qoyod asked, which may write a figure."""
    secret_env: Variable = ""
    """Name of the environment variable that holds the token."""
    secret_file: str = ""
    """A file that holds the token."""


class HttpConfig(Section):
    """What people and Prometheus look at."""

    listen: Listen = "127.0.0.1:9464"
    """host:port of /metrics, /livez, /healthz, /readyz, /api/… and the status page."""
    token_env: Variable = ""
    """Name of an environment variable with the token that all but metrics and health ask for; its role is refresh."""
    token_file: str = ""
    """A file that holds that token."""
    metrics_need_token: bool = False
    """true: /metrics asks for a token too; health never does."""
    tokens: tuple[TokenConfig, ...] = ()

    def bind(self, path: str, environ: Mapping[str, str]) -> None:
        """Tell the tokens too where they stand."""
        super().bind(path, environ)
        for index, token in enumerate(self.tokens):
            token.bind(f"{path}.tokens[{index}]", environ)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return split_listen(self.listen)

    @property
    def token(self) -> SecretRef:
        """Where the token stands by which daemons and commands ask each other; false where there is none."""
        refreshing = (token.secret_at("secret") for token in self.tokens if token.role == "refresh")
        return self.secret_at("token") or next(refreshing, self.secret_at("token"))

    @property
    def granted(self) -> list[tuple[SecretRef, bool]]:
        """Where every token stands, and whether it may have Qoyod asked; empty where none is asked for."""
        own = self.secret_at("token")
        listed = [(token.secret_at("secret"), token.role == "refresh") for token in self.tokens]
        return [(own, True), *listed] if own else listed


class LogConfig(Section):
    """What is written to standard error."""

    format: Literal["auto", "console", "json"] = "auto"
    """auto is console on a terminal and json otherwise."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""


class NotifyConfig(Section):
    """Messages to people without Prometheus: one for each change of state, and one when all is well again."""

    urls_file: str = ""
    """A file that only its owner may read, with one apprise URL a line: mail, Slack, Telegram and the like."""
    heartbeat_url: SecretAddress = ""
    """Asked each minute while every account is fresh: a dead man's switch such as healthchecks.io."""
    language: Literal["en", "ar"] = "en"
    """What the messages are written in: English or Arabic."""
    at_most_per_hour: Annotated[int, Field(ge=1, le=1000)] = 12
    """Messages within any hour; further changes are counted and told in one."""

    def secrets(self) -> Iterator[SecretRef]:
        """Give the place of the addresses."""
        if self.urls_file:
            yield self.urls

    @property
    def urls(self) -> SecretRef:
        """Where the addresses stand; false where nobody is told."""
        return SecretRef(f"{self._path}.urls", "", self.urls_file, self._environ)


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file of `accounts_dir` that cannot be used, and every problem in it."""

    path: Path
    problems: tuple[str, ...]


class Config(Section):
    """All there is to configure; plain values, checked and frozen."""

    state: StateConfig = Field(default_factory=StateConfig)
    http: HttpConfig = Field(default_factory=HttpConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    notify: NotifyConfig = Field(default_factory=NotifyConfig)
    fleet: FleetConfig = Field(default_factory=FleetConfig)
    accounts_dir: str = ""
    """A folder with one TOML file an account, beside [[accounts]]; it starts at this file's own."""
    accounts: tuple[AccountConfig, ...] = ()
    _account_files: Mapping[Path, dict[str, Any]] = PrivateAttr(default_factory=dict)
    _refused: tuple[RefusedFile, ...] = PrivateAttr(default=())
    _tenants: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file it was read from; None where the environment alone describes it."""
        return self._file

    @property
    def account_files(self) -> Mapping[Path, dict[str, Any]]:
        """What was read from the files of `accounts_dir`, raw."""
        return self._account_files

    @property
    def refused(self) -> tuple[RefusedFile, ...]:
        """Files of `accounts_dir` that are faulty."""
        return self._refused

    def read_from(
        self, file: Path | None, account_files: Mapping[Path, dict[str, Any]], refused: Iterable[RefusedFile]
    ) -> None:
        """Note the files it was read from, and those that are faulty."""
        self._file, self._account_files, self._refused = file, account_files, tuple(refused)

    def refusing(self, problems: Mapping[str, Iterable[str]]) -> "Config":
        """Give the configuration without these accounts; `refused` then names the file of each."""
        path_of = {data["name"]: path for path, data in self._account_files.items()}
        refused = [
            RefusedFile(path_of[name], tuple(f"{path_of[name]}: {text}" for text in texts))
            for name, texts in problems.items()
        ]
        kept = self.model_copy(update={"accounts": tuple(one for one in self.accounts if one.name not in problems)})
        files = {path: data for path, data in self._account_files.items() if data["name"] not in problems}
        kept.read_from(self._file, files, [*self._refused, *refused])
        return kept

    def bind(self, path: str, environ: Mapping[str, str]) -> None:
        """Tell every section where it stands and whose environment it reads."""
        super().bind(path, environ)
        for index, account in enumerate(self.accounts):
            account.bind(f"accounts.{account.name or index}", environ)
        self._tenants = tenants_of(self.accounts)

    def tenant(self, account: AccountConfig) -> str:
        """Name the Qoyod company behind an account: it decides the request budget and who shares a table's lock."""
        return self._tenants.get(account.name, account.name)

    def account(self, name: str) -> AccountConfig | None:
        """Find an account by its name."""
        return next((account for account in self.accounts if account.name == name), None)
