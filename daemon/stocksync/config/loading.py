"""From file and environment to a Config, or to all that is wrong with them at once."""

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stocksync.config.account_files import AccountFiles
from stocksync.config.checks import check
from stocksync.config.error_text import path_of, stranger, text_of
from stocksync.config.model import Config, HttpConfig, StateConfig
from stocksync.config.sources import Loc, find, overlay, passwords, read_file
from stocksync.config.variables import CONFIG_FILE, PREFIX, strangers
from stocksync.errors import ConfigurationError

_HELD_IN_FILE = (
    "holds a password, which never stands in this file: put the whole URL into an environment variable "
    "and name that in url_env (or into a file, and name that in url_file)"
)

_PROXY_HELD = (
    "holds a password, which never stands in this file: set STOCKSYNC_ACCOUNTS__<NAME>__PROXY to the whole URL, "
    'or HTTPS_PROXY, and say proxy = "env"'
)


def load(path: Path | None = None, environ: Mapping[str, str] | None = None, before: Config | None = None) -> Config:
    """Read and check the whole configuration; without a path, from where it usually stands.

    A faulty file of `accounts_dir` harms its own account alone: `refused` of what is given names it. With `before`, the
    configuration in force, such an account stays as it was.

    Raises:
        ConfigurationError: with every problem there is, one line each; no secret is ever in them.

    """
    environ = os.environ if environ is None else environ
    file = find(path, environ)
    named_by = CONFIG_FILE if path is None and environ.get(CONFIG_FILE) else "--config"
    data = read_file(file, named_by) if file else {}
    files = AccountFiles(before=before.account_files if before else {})
    folder = environ.get(f"{PREFIX}ACCOUNTS_DIR", data.get("accounts_dir", ""))
    if folder and isinstance(folder, str):
        files.read((file.parent if file else Path()) / folder)
    config = _loaded(data, environ, files)
    config.read_from(file, files.accounts, files.refused)
    return config


def _loaded(written: dict[str, Any], environ: Mapping[str, str], files: AccountFiles) -> Config:
    listed = written.get("accounts", [])
    while True:
        # The files' accounts stand behind those that are listed; `own` says which number is whose file.
        data, own = written, dict[int, Path]()
        if files.accounts and isinstance(listed, list):
            own = dict(enumerate(files.accounts, start=len(listed)))
            data = {**written, "accounts": [*listed, *files.accounts.values()]}
        problems = _Problems(data, own)
        for loc in list(passwords(data)):
            problems.add(loc, _PROXY_HELD if loc[-1] == "proxy" else _HELD_IN_FILE)
            data = _without(data, loc)
        data, strange = overlay(data, environ)
        problems.lines += [*strangers(environ, data), *strange]
        config = _validate(data, environ, problems)
        if not problems.in_files:
            problems.lines += [] if config.accounts else [text for one in files.refused for text in one.problems]
            problems.raise_any()
            return config
        # Without the faulty ones the rest is judged anew: what did not fit together may have been their fault.
        for path, texts in problems.in_files.items():
            files.refuse(path, texts)


def http_of(path: Path | None = None, environ: Mapping[str, str] | None = None) -> HttpConfig:
    """Read where a daemon of this configuration listens, whatever is wrong with the rest of it; else the default."""
    environ = os.environ if environ is None else environ
    named = {name: value for name, value in environ.items() if name.upper().startswith(f"{PREFIX}HTTP__")}
    try:
        file = find(path, environ)
        written = (read_file(file) if file else {}).get("http", {})
    except ConfigurationError:
        written = {}
    try:
        return HttpConfig.model_validate(overlay({"http": written}, named)[0]["http"])
    except ValidationError:
        return HttpConfig()


def state_of(path: Path | None = None, environ: Mapping[str, str] | None = None) -> StateConfig:
    """Read where the state of this configuration is, whatever is wrong with the rest of it.

    Raises:
        ConfigurationError: there is no file, it is no TOML, or this section of it is wrong.

    """
    environ = os.environ if environ is None else environ
    named = {name: value for name, value in environ.items() if name.upper().startswith(f"{PREFIX}STATE__")}
    file = find(path, environ)
    written = (read_file(file) if file else {}).get("state", {})
    try:
        state = StateConfig.model_validate(overlay({"state": written}, named)[0]["state"])
    except ValidationError as error:
        raise ConfigurationError("state: this section is wrong") from error
    state.bind("state", environ)
    return state


def account_names(path: Path | None, environ: Mapping[str, str]) -> list[str]:
    """Give the accounts' names as they stand in the files, whatever else is wrong with them: for completion in a shell.

    Of a file of `accounts_dir` its own name is given: ten thousand are not read while a person waits.

    Raises:
        ConfigurationError: there is no file, or it is no TOML.

    """
    file = find(path, environ)
    data = read_file(file, "--config") if file else {}
    given = data.get("accounts")
    sections = given if isinstance(given, list) else []
    names = [one["name"] for one in sections if isinstance(one, dict) and isinstance(one.get("name"), str)]
    folder = environ.get(f"{PREFIX}ACCOUNTS_DIR", data.get("accounts_dir", ""))
    if folder and isinstance(folder, str):
        names += sorted(one.stem for one in ((file.parent if file else Path()) / folder).glob("*.toml"))
    return names


def build(data: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """Check values that are given in code.

    Raises:
        ConfigurationError: with every problem there is.

    """
    problems = _Problems(data)
    config = _validate(dict(data), os.environ if environ is None else environ, problems)
    problems.raise_any()
    return config


class _Problems:
    def __init__(self, data: Mapping[str, Any], files: Mapping[int, Path] | None = None) -> None:
        """Take the raw values, and which account, by number, stands in a file of its own."""
        self.data: Mapping[str, Any] = data
        self.lines: list[str] = []
        self.in_files: dict[Path, list[str]] = {}
        self._files = files or {}
        self._touched: set[Loc] = set()

    def add(self, loc: Loc, text: str, also: Iterable[Loc] = ()) -> None:
        line = f"{path_of(loc, self.data)}: {text}"
        number = loc[1] if loc[0] == "accounts" and len(loc) > 1 and isinstance(loc[1], int) else -1
        lines = self.in_files.setdefault(self._files[number], []) if number in self._files else self.lines
        if line not in lines:
            lines.append(line)
        self._touched.update({loc, *also})

    def touched(self, locs: Iterable[Loc]) -> bool:
        """Whether one of these was already complained about, so that what follows from it is noise."""
        return any(loc[: len(bad)] == bad for loc in locs for bad in self._touched)

    def raise_any(self) -> None:
        if self.lines:
            raise ConfigurationError(self.lines)


def _validate(data: dict[str, Any], environ: Mapping[str, str], problems: _Problems) -> Config:
    problems.data = data
    config: Config | None = None
    # What is wrong is noted and taken out until the rest holds, so that the checks across keys run as well
    # and a person sees everything at once.
    while config is None:
        try:
            config = Config.model_validate(data)
        except ValidationError as errors:
            seen: set[Loc] = set()
            for error in errors.errors(include_url=False):
                loc = tuple(part for part in error["loc"] if part != "[key]")
                # The first follows from another problem of its section; the second went with a wrong key.
                if error["type"] == "default_factory_not_called" or loc in seen:
                    continue
                seen.add(loc)
                text, also = text_of(error), tuple[Loc, ...]()
                if error["type"] == "extra_forbidden":
                    text, also = stranger(loc, path_of(loc, data))
                problems.add(loc, text, also)
                data = _without(data, loc)
    config.bind("", environ)
    for problem in check(config):
        if not problems.touched((problem.loc, *problem.also)):
            problems.add(problem.loc, problem.text)
    return config


def _without(data: dict[str, Any], loc: Loc) -> dict[str, Any]:
    """Take the value at a place out; an account that is no section becomes an empty one, so that numbers stay."""
    pruned = deepcopy(data)
    parent: Any = pruned
    for part in loc[:-1]:
        if isinstance(parent, list):
            inner = parent[part] if isinstance(part, int) and part < len(parent) else None
        else:
            inner = parent.get(part)
        if not isinstance(inner, dict | list):
            break
        parent = inner
    last = loc[-1]
    if isinstance(parent, list) and isinstance(last, int):
        parent[last] = {}
    elif isinstance(parent, dict):
        for key in [key for key in parent if str(key) == str(last)]:
            del parent[key]
    return {key: value for key, value in data.items() if key != loc[0]} if pruned == data else pruned
