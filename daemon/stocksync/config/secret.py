"""Where a secret is found: an environment variable or a file, read anew each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from stocksync.config.text import decoded, stray
from stocksync.errors import ConfigurationError
from stocksync.known_secrets import remember

_BY_SYSTEMD = "it is set by systemd, for a service with LoadCredential=; elsewhere name another file"


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

    def text(self) -> str:
        """Give all lines of the file as they are now; whoever reads them apart remembers what is secret in them.

        Raises:
            ConfigurationError: there is nothing to read.

        """
        return self._content()

    def read(self) -> str:
        """Give the secret as it is now: a file that was replaced shows its new content.

        Raises:
            ConfigurationError: nothing stands there, or more than one line.

        """
        value = self.environ.get(self.env, "").strip().strip("\ufeff").strip() if self.env else self._content()
        if not value:  # a file without content was refused by now
            state = "empty" if self.env in self.environ else "not set"
            raise ConfigurationError(f"{self.key}: the environment variable {self.env} is {state}; export it first")
        if "\n" in value or "\r" in value or "\0" in value:
            raise ConfigurationError(f"{self.key}: the secret must be a single line")
        if "://" not in value:  # a URL is read apart by `dsn`, and its password alone is secret
            remember(value)
        if problem := stray(value):
            raise ConfigurationError(f"{self.key}: {problem}")
        return value

    @property
    def key(self) -> str:
        """The key of the configuration that names the place."""
        return f"{self.path}_{'env' if self.env else 'file'}"

    @property
    def location(self) -> Path | None:
        """The file, where it is one."""
        # systemd hands credentials over in a directory whose name it alone knows: $CREDENTIALS_DIRECTORY/qoyod
        return Path(Template(self.file).safe_substitute(self.environ)) if self.file and not self.env else None

    def _content(self) -> str:
        name = Template(self.file).safe_substitute(self.environ)
        try:
            value = decoded(Path(name).read_bytes()).strip()
        except (OSError, ValueError) as error:
            if "$" in name:
                raise ConfigurationError(f"{self.key}: {name.partition('/')[0]} is not set: {_BY_SYSTEMD}") from error
            why = (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"{self.key}: {why}{self._shown(name)}; put the secret there") from error
        if not value:
            raise ConfigurationError(f"{self.key}: the file is empty{self._shown(name)}; put the secret there")
        return value

    @staticmethod
    def _shown(name: str) -> str:
        # A bare word may be the secret itself, pasted into the wrong key.
        return f" (got {name})" if "/" in name else ""
