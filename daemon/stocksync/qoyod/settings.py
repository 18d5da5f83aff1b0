"""What the reader of one account is told: plain values, checked by the configuration before."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Filter:
    """What narrows the catalogue; every row is checked against it, as Qoyod ignores unknown keys in silence."""

    sku: str | None = None
    category_id: int | None = None

    def parameters(self) -> dict[str, str]:
        """Give the query parameters that ask for it."""
        wanted = {"q[sku_eq]": self.sku, "q[category_id_eq]": self.category_id}
        return {key: str(value) for key, value in wanted.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How one account is read; durations in seconds, sizes in bytes."""

    account: str
    base_url: str = "https://api.qoyod.com/2.0"
    per_page: int = 100
    concurrency: int = 4
    filter: Filter = field(default_factory=Filter)
    proxy: str = field(default="", repr=False)
    """A proxy's URL, perhaps with user and password; `env`: the environment's."""
    request_timeout: float = 30.0
    """For one request from the connection to the last byte; a drip feed ends here."""
    connect_timeout: float = 10.0
    read_timeout: float = 15.0
    """The longest silence within one request."""
    max_body: int = 16 * 1024 * 1024
    max_pages: int = 10_000
    attempts: int = 5
    """Tries of one request before its page counts as failed; a 429 is no try."""
    backoff: float = 0.5
    """Ceiling of the first wait between two tries; it doubles with each, and the wait is drawn below it."""
    max_backoff: float = 15.0
    give_up_after: int = 3
    """Pages that fail in a row before the rest of a reading is not asked for."""
