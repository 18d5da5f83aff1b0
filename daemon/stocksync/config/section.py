"""What every section of the configuration has in common."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, PrivateAttr

from stocksync.config.secret import SecretRef
from stocksync.config.values import DatabaseUrl, Variable


def section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  any annotation of a field
    """Find the section type inside an annotation such as `tuple[AccountConfig, ...]` or `X | None`."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := section_in(inner))), None)


class Section(BaseModel):
    """A table of the configuration: frozen, and no key in it that is not declared."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
    _environ: Mapping[str, str] = PrivateAttr(default_factory=lambda: os.environ)
    _path: str = PrivateAttr(default="")

    def bind(self, path: str, environ: Mapping[str, str]) -> None:
        """Tell this section and those in it where they stand and whose environment they read."""
        self._path, self._environ = path, environ
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                value.bind(f"{path}.{name}".lstrip("."), environ)

    def secrets(self) -> Iterator[SecretRef]:
        """Give the place of every secret that this section and those in it name."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Section):
                    yield from inner.secrets()
            key, _, kind = name.rpartition("_")
            if value and kind in {"env", "file"} and key:
                yield self.secret_at(key)

    def secret_at(self, key: str) -> SecretRef:
        """Give the place of a secret from `key`_env and `key`_file; false where neither is given."""
        env, file = getattr(self, f"{key}_env"), getattr(self, f"{key}_file", "")
        return SecretRef(f"{self._path}.{key}".lstrip("."), env, file, self._environ)


class DatabaseSection(Section):
    """A section that leads to a database."""

    url: DatabaseUrl = ""
    """The database, where the URL holds no password: sqlite, postgresql, mysql or mariadb."""
    url_env: Variable = ""
    """Name of an environment variable that holds the URL."""
    url_file: str = ""
    """A file that holds the URL."""

    @property
    def key(self) -> str:
        """What a person changes to name another database: the variable, else the key of the configuration."""
        secret = self.secret_at("url")
        return secret.env or (secret.key if secret else f"{self._path}.url")

    def dsn(self) -> str:
        """Give the URL of the database, read anew.

        Raises:
            ConfigurationError: the variable or file that should hold it does not.

        """
        secret = self.secret_at("url")
        return secret.read() if secret else self.url
