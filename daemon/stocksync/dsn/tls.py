"""TLS with a database: libpq's modes for both servers."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Mode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

_SYNONYMS: dict[str, Mode] = {
    **{mode: mode for mode in get_args(Mode)},
    **dict.fromkeys(("disabled", "false", "0", "off", "no", "none"), "disable"),
    "preferred": "prefer",
    **dict.fromkeys(("required", "true", "1", "on", "yes", ""), "require"),
    **dict.fromkeys(("skip-verify", "no-verify", "trust", "accept-invalid-certs"), "require"),
    **dict.fromkeys(("verify-identity", "strict"), "verify-full"),
}  # fmt: skip
_SYSTEM = "system"


def mode_of(word: str) -> Mode | None:
    """Give libpq's name of a mode that MySQL, Go, Prisma or Node call otherwise; None for what is none."""
    return _SYNONYMS.get(word.lower().replace("_", "-"))


@dataclass(slots=True)
class Tls:
    """How a connection is secured; files as they stood in the URL."""

    mode: Mode | None = None
    ca: str = ""
    """A file of authorities to trust, or `system` for those of this machine."""
    capath: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = ""
    direct: bool = False

    @property
    def effective(self) -> Mode | None:
        """The mode in force: who names an authority wants the server proved by it, as libpq holds too."""
        if self.mode in {"disable", "verify-ca", "verify-full"}:
            return self.mode
        if self.ca == _SYSTEM:
            return "verify-full"
        if self.ca or self.capath:
            return "verify-ca"
        return "require" if self.cert or self.direct else self.mode

    def problem(self) -> str:
        """Say which file cannot be read, or what does not go together; empty where all is well."""
        if self.key and not self.cert:
            return "?sslkey=…: needs sslcert, the certificate of this key"
        named = {"sslrootcert": self.ca, "sslcert": self.cert, "sslkey": self.key}
        for key, name in named.items():
            if not name or (key, name) == ("sslrootcert", _SYSTEM):
                continue
            try:
                _path(name).open("rb").close()
            except OSError as error:
                return f"?{key}=…: {error.strerror or 'cannot be read'} (got {name})"
        return ""

    def context(self) -> ssl.SSLContext:
        """Make what the drivers secure a connection with.

        Raises:
            ValueError: a file holds no certificate or key; the message names its option.

        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.effective == "verify-full"
        proved = self.effective in {"verify-ca", "verify-full"}
        context.verify_mode = ssl.CERT_REQUIRED if proved else ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if proved:
            self._trust(context)
        if self.cert:
            with_key = str(_path(self.key)) if self.key else None
            try:
                context.load_cert_chain(str(_path(self.cert)), with_key, self.key_password)
            except (ssl.SSLError, OSError) as error:
                raise ValueError(
                    f"?sslcert=…: no certificate with its key can be read there: {_words(error)}"
                ) from error
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        if self.ca in {"", _SYSTEM} and not self.capath:
            context.load_default_certs()
            return
        ca = None if self.ca in {"", _SYSTEM} else str(_path(self.ca))
        capath = str(_path(self.capath)) if self.capath else None
        try:
            context.load_verify_locations(ca, capath)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"?sslrootcert=…: no certificate of an authority can be read there: {_words(error)}"
            ) from error


def _path(name: str) -> Path:
    return Path(name).expanduser()


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).strip()
