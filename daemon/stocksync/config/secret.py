"""Where a secret is found: an environment variable or a file, read anew each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from stocksync.config.text import decoded, stray
from stocksync.errors import ConfigurationError
from stocksync.known_secrets import remember


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The place of a secret, never the secret: safe to log, print and compare."""

    path: str
    """The key that names the place, for messages: accounts.main.auth.secret."""
    env: str = ""
    file: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __bool__(self) -> bool:
        """Whether a place was given at all."""
        return bool(self.env or self.file)

    def read(self) -> str:
        """Give the secret as it is now: a file that was replaced shows its new content.

        Raises:
            ConfigurationError: nothing stands there, or more than one line.

        """
        value = self._variable() if self.env else self._content()
        if "\n" in value or "\r" in value or "\0" in value:
            raise ConfigurationError(f"{self._key}: the secret must be a single line")
        if "://" not in value:  # a URL is read apart by `dsn`, and its password alone is secret
            remember(value)
        if problem := stray(value):
            raise ConfigurationError(f"{self._key}: {problem}")
        return value

    @property
    def _key(self) -> str:
        return f"{self.path}_{'env' if self.env else 'file'}"

    def _variable(self) -> str:
        value = self.environ.get(self.env, "").strip().strip("\ufeff").strip()
        if not value:
            state = "empty" if self.env in self.environ else "not set"
            raise ConfigurationError(f"{self._key}: the environment variable {self.env} is {state}; export it first")
        return value

    def _content(self) -> str:
        # systemd hands credentials over in a directory whose name it alone knows: $CREDENTIALS_DIRECTORY/qoyod
        name = Template(self.file).safe_substitute(self.environ)
        try:
            value = decoded(Path(name).read_bytes()).strip()
        except (OSError, ValueError) as error:
            why = (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"{self._key}: {why}{self._shown(name)}; put the secret there") from error
        if not value:
            raise ConfigurationError(f"{self._key}: the file is empty{self._shown(name)}; put the secret there")
        return value

    @staticmethod
    def _shown(name: str) -> str:
        # A bare word may be the secret itself, pasted into the wrong key.
        return f" (got {name})" if "/" in name else ""
