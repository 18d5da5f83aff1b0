"""One file an account, beside [[accounts]]: what is wrong with one harms no other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stocksync.config.model import RefusedFile
from stocksync.config.sources import read_file
from stocksync.errors import ConfigurationError


@dataclass(slots=True)
class AccountFiles:
    """The files of a folder that are read as accounts, and those that are not."""

    accounts: dict[Path, dict[str, Any]] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    before: Mapping[Path, dict[str, Any]] = field(default_factory=dict)
    """What was in force until now: where a file is faulty its account goes on as it was."""

    def read(self, folder: Path) -> None:
        """Read every *.toml; the name of a file is its account's, where that says none.

        Raises:
            ConfigurationError: there is no such folder.

        """
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        except OSError as error:
            raise ConfigurationError(f"accounts_dir: {error.strerror or error} (got {folder})") from error
        for path in paths:
            try:
                self.accounts[path] = {"name": path.stem, **read_file(path)}
            except ConfigurationError as error:
                self.refuse(path, error.problems)

    def refuse(self, path: Path, problems: Iterable[str]) -> None:
        """Use the file no more; in its place what stood in it before, if that is not what is refused."""
        # Who reads the problems sees which file is meant.
        named = tuple(text if text.startswith(str(path)) else f"{path}: {text}" for text in problems)
        if not any(one.path == path for one in self.refused):
            self.refused.append(RefusedFile(path, named))
        tried = self.accounts.pop(path, None)
        if path in self.before and tried != self.before[path]:
            self.accounts[path] = self.before[path]
