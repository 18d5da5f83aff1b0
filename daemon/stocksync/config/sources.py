"""Where the values come from: a TOML file, with the environment laid over it."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from stocksync.config.model import Config
from stocksync.config.text import decoded, stray, strays_in_toml
from stocksync.config.variables import CONFIG_FILE, PREFIX
from stocksync.errors import ConfigurationError

SEARCHED = (Path("config.toml"), Path("/etc/stocksync/config.toml"))

Loc = tuple[str | int, ...]
_PASSWORD = re.compile(r"://[^/@\s]*:[^/\s]+@|[?&](?:password|passwd|pwd)=", re.IGNORECASE)


def find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Give the file to read: `path`, what STOCKSYNC_CONFIG names, or where it usually stands.

    None where there is none and the environment describes the accounts.

    Raises:
        ConfigurationError: there is none, and nothing else to go by.

    """
    if path is None and environ.get(CONFIG_FILE):
        path = Path(environ[CONFIG_FILE])
    if path is not None:
        return path
    found = next((candidate for candidate in SEARCHED if _is_there(candidate)), None)
    if found is None and not any(name.upper().startswith(f"{PREFIX}ACCOUNTS") for name in environ):
        places = " nor ".join(str(candidate) for candidate in SEARCHED)
        raise ConfigurationError(
            f"no configuration: neither {places} exists; name one with --config FILE or {CONFIG_FILE}, "
            "or let `stocksync init` write one"
        )
    return found


def _is_there(path: Path) -> bool:
    """Whether a file may be there: one in a folder that is closed to us is, and reading it says so."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def read_file(path: Path, named_by: str = "--config") -> dict[str, Any]:
    """Read a TOML file; `named_by` is what a person mends where there is none.

    Raises:
        ConfigurationError: it is not there, or is not TOML.

    """
    try:
        text = decoded(path.read_bytes())
    except PermissionError as error:
        todo = "type it as the user that the service runs as, or let this one read the file"
        raise ConfigurationError(f"{path}: {error.strerror}; {todo}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}; is {named_by} right?") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if strays := strays_in_toml(text):
        raise ConfigurationError([f"{path}: {problem}" for problem in strays])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from error


def passwords(data: object, loc: Loc = ()) -> Iterator[Loc]:
    """Find the values of a file that hold a password inside a URL."""
    if isinstance(data, str) and _PASSWORD.search(data):
        yield loc
    if isinstance(data, dict):
        for key, value in data.items():
            yield from passwords(value, (*loc, key))
    if isinstance(data, list):
        for index, value in enumerate(data):
            yield from passwords(value, (*loc, index))


def overlay(data: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Lay STOCKSYNC_SECTION__KEY variables over a file's values; give also what was wrong with them."""
    try:
        given = _Environment(environ)()
    except SettingsError as error:
        return data, [f"{PREFIX}…: {error}"]
    problems = [
        f"{name}: {problem}"
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and "__" in name and value[:1] not in {"{", "["}
        if (problem := stray(value.strip()))
    ]
    accounts = given.pop("accounts", None)
    merged = _merge(data, given)
    if isinstance(accounts, list):
        return {**merged, "accounts": accounts}, problems
    return _merge_accounts(merged, accounts or {}, problems), problems


class _Sourced(Config, BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")


class _Environment(EnvSettingsSource):
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = environ
        super().__init__(_Sourced)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._given.items()}


def _merge(below: Any, above: Any) -> Any:  # noqa: ANN401  values of any shape; the models judge them
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _merge(below.get(key), value) for key, value in above.items()}}


def _merge_accounts(data: dict[str, Any], above: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    listed = data.get("accounts", [])
    if not above or not isinstance(listed, list):
        return data
    accounts = list(listed)
    names = [account.get("name") if isinstance(account, dict) else None for account in accounts]
    for key, values in sorted(above.items()):
        index = names.index(key) if key in names else int(key) if key.isdecimal() else -1
        if 0 <= index < len(accounts):
            accounts[index] = _merge(accounts[index], values)
        elif index == len(accounts):
            accounts.append(values)
        else:
            problems.append(f"{PREFIX}ACCOUNTS__{key.upper()}__…: no account of this name or number")
    return {**data, "accounts": accounts}
