"""Who we are to Qoyod: keys that may be rotated under us."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from stocksync.errors import Unauthorized
from stocksync.qoyod.oauth import OAuthCredential
from stocksync.qoyod.secret import secret_of

__all__ = ["Credential", "KeyCredential", "OAuthCredential"]

log = structlog.get_logger(__name__)

_SCHEMES: Mapping[str, tuple[str, str]] = {
    "api_key": ("API-KEY", ""),
    "bearer": ("Authorization", "Bearer "),
    "authorization": ("Authorization", ""),
}


class Credential(Protocol):
    """What makes a request ours."""

    @property
    def expires_at(self) -> datetime | None:
        """When it ends by itself, where that is known."""

    async def ready(self) -> None:
        """Make sure that there is something to show.

        Raises:
            Unauthorized: there is nothing, or it was refused for good.
            SourceUnavailable: it cannot be had now.

        """

    def headers(self) -> Mapping[str, str]:
        """Give the headers of one request; only after `ready`."""

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Try to replace the headers that met a 401; True where there are others to try."""


class KeyCredential:
    """A key from the environment or a file, read again when Qoyod refuses it."""

    expires_at: datetime | None = None

    def __init__(self, scheme: str, read_secret: Callable[[], str]) -> None:
        """Take `api_key`, `bearer` or `authorization`, and where the secret comes from."""
        self._name, self._prefix = _SCHEMES[scheme]
        self._read_secret = read_secret
        self._secret = ""

    async def ready(self) -> None:
        """Read the secret, the first time."""
        if not self._secret:
            self._secret = secret_of(self._read_secret)

    def headers(self) -> Mapping[str, str]:
        """Give the header that carries the key."""
        return {self._name: self._prefix + self._secret}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Read the secret again: it may have been rotated."""
        try:
            self._secret = secret_of(self._read_secret)
        except Unauthorized as error:
            log.debug("secret_unreadable", reason=str(error))
        return dict(self.headers()) != dict(refused)
