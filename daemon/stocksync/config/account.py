"""The sections of one account."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stocksync.config.secret import SecretRef
from stocksync.config.section import DatabaseSection, Section
from stocksync.config.values import (
    Duration,
    OptionalWord,
    PositiveDuration,
    ProxyUrl,
    Share,
    Table,
    Text,
    Title,
    Variable,
    WebAddress,
    Word,
)
from stocksync.core.policy import Negative, OnRemoved, Rounding, Unmapped


class AuthConfig(Section):
    """How Qoyod knows us. A secret never stands in this file: name the variable or the file that holds it."""

    scheme: Literal["api_key", "bearer", "authorization", "oauth2"] = "api_key"
    """The header the secret goes into: API-KEY, Authorization: Bearer, Authorization alone; or OAuth 2.0."""
    secret_env: Variable = ""
    """Name of the environment variable that holds the API key or token."""
    secret_file: str = ""
    """A file that holds it (Docker secret, systemd credential); $CREDENTIALS_DIRECTORY is understood."""
    token_url: WebAddress = ""
    """oauth2: where tokens are given, likely https://app.qoyod.com/oauth/token."""
    client_id: str = ""
    """oauth2: the client's id."""
    client_secret_env: Variable = ""
    """oauth2: name of the environment variable that holds the client's secret."""
    client_secret_file: str = ""
    """oauth2: a file that holds the client's secret."""
    scope: str = ""
    """oauth2: the scopes to ask for, separated by spaces."""

    @property
    def secret(self) -> SecretRef:
        """Where the API key or token stands."""
        return self.secret_at("secret")

    @property
    def client_secret(self) -> SecretRef:
        """Where the OAuth client's secret stands."""
        return self.secret_at("client_secret")


class FilterConfig(Section):
    """Narrows the catalogue; absence then means nothing outside it."""

    sku: str = ""
    """Only the product with this SKU."""
    category_id: Annotated[int, Field(ge=1)] | None = None
    """Only the products of this category."""


_LONGEST_CYCLE = timedelta(minutes=10)
_SHORT_CYCLE = timedelta(minutes=1)
_JITTER = timedelta(seconds=10)


def longest_deadline(interval: timedelta) -> timedelta:
    """Give the longest deadline that makes sense: the interval, or a minute where that is shorter."""
    return max(interval, _SHORT_CYCLE)


class PollConfig(Section):
    """When and how fast Qoyod is read."""

    interval: PositiveDuration = timedelta(minutes=15)
    """From the start of one poll to the start of the next."""
    jitter: Duration = Field(default_factory=lambda given: min(_JITTER, given.get("interval", _LONGEST_CYCLE) / 10))
    """Up to this much is added at random, so that accounts do not start at once; less for a short interval."""
    deadline: PositiveDuration = Field(
        default_factory=lambda given: min(_LONGEST_CYCLE, longest_deadline(given.get("interval", _LONGEST_CYCLE)))
    )
    """A longer cycle is cancelled; reading has three quarters of it; left out: 10m, at most the interval (or 1m)."""
    per_page: Annotated[int, Field(ge=1, le=100)] = 100
    """Products per page; 100 is the most that is proven to work."""
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    """Pages that are asked for at the same time."""
    requests_per_minute: Annotated[int, Field(ge=1, le=300)] = 180
    """Of Qoyod's 300 a minute, which other integrations of the same tenant share."""
    cross_check: Annotated[int, Field(ge=0, le=100)] = 3
    """Products per cycle that are compared with GET /products/{id}."""
    filter: Annotated[FilterConfig, Table] = Field(default_factory=FilterConfig)


class ColumnsConfig(Section):
    """Our field = your column; leave one out and it is not written."""

    product_id: Text | None = None
    """Qoyod's product id."""
    sku: Text | None = None
    """The SKU, as text."""
    location: Text | None = None
    """The location's value; left out: one figure per product, the sum over the mapped locations."""
    quantity: Text | None = None
    """The figure itself; needed."""
    updated_at: Text | None = None
    """When stocksync last wrote the row."""
    active: Text | None = None
    """True or 1 while the product exists; on_deleted = "deactivate" clears it."""


OWN_COLUMNS = ColumnsConfig(
    product_id="product_id",
    sku="sku",
    location="location_id",
    quantity="quantity",
    updated_at="updated_at",
    active="active",
)
"""The columns of the table that `create_table` makes."""


class StatementsConfig(Section):
    """Your own SQL instead of table and columns, with :product_id :sku :location :quantity bound."""

    write: str = ""
    """Writes one figure: UPDATE … SET stock = :quantity WHERE …"""
    read: str = ""
    """Reads one figure: SELECT … WHERE …; its first column is the quantity, a second whether the row is active."""
    deactivate: str = ""
    """Takes one row out of sale, for on_deleted and on_untracked = "deactivate"."""
    delete: str = ""
    """Deletes one row, for on_deleted = "delete"."""


class TargetConfig(DatabaseSection):
    """The integrated system's database: where stock goes."""

    table: Text = "stock_levels"
    """The table to write, with its schema where it needs one: shop.stock."""
    match_by: Literal["product_id", "sku"] = "product_id"
    """How a row is found."""
    create_table: bool = False
    """true: make the table if it is not there."""
    missing: Literal["insert", "skip"] = "insert"
    """skip: rows the target does not know are reported, not created."""
    live: str = ""
    """A condition of yours that live rows meet: "deleted_at IS NULL"; all other rows are left alone."""
    after_batch: str = ""
    """One statement of yours in each batch's transaction, with :account :cycle_id :applied bound: to fill an outbox."""
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Rows per transaction to begin with: up to eight times as many while that is quick and nothing is refused."""
    columns: ColumnsConfig | None = None
    """Our field = your column; left out whole: the columns of our own table."""
    statements: StatementsConfig | None = None
    """Your own SQL instead of table and columns."""

    @property
    def mapping(self) -> ColumnsConfig:
        """The columns in force."""
        return self.columns or OWN_COLUMNS

    @property
    def summed(self) -> bool:
        """Whether it keeps one figure per product: no location column, or no :location in the own statement."""
        if self.statements is not None:
            return not re.search(r"(?<![:\w]):location\b", self.statements.write)
        return self.mapping.location is None


class LocationsConfig(Section):
    """Which of the target's locations each Qoyod location feeds."""

    map: Annotated[dict[Annotated[int, Field(ge=1)], Text], Table] = Field(default_factory=dict)
    """{ 3 = "MAIN", 7 = "OUTLET" }: Qoyod location id = value in your location column; two ids on one are summed."""
    unmapped: Unmapped = Unmapped.AS_IS
    """A location the map does not name: as_is (its id is the value), ignore, or hold (a person decides)."""


class PolicyConfig(Section):
    """From Qoyod's figure to the one the target should hold."""

    negative: Negative = Negative.PASS
    """A figure below zero: pass it on, zero (floor at 0 and log the discrepancy), or hold it."""
    rounding: Rounding = Rounding.FLOOR
    """Decimals the column cannot keep: floor, nearest, or reject the row."""
    buffer: Annotated[Decimal, Field(ge=0, max_digits=18)] = Decimal(0)
    """Kept back from every figure."""
    on_deleted: OnRemoved = OnRemoved.DEACTIVATE
    """A product that Qoyod confirms is deleted: deactivate, delete, zero or keep its rows."""
    on_untracked: Literal[OnRemoved.KEEP, OnRemoved.DEACTIVATE, OnRemoved.ZERO] = OnRemoved.KEEP
    """A product whose stock Qoyod no longer tracks: keep, deactivate or zero its rows."""
    on_unmapped: Literal[OnRemoved.KEEP, OnRemoved.DEACTIVATE, OnRemoved.ZERO] = OnRemoved.KEEP
    """A location value that nothing feeds any more, as the map was changed: keep, deactivate or zero its rows."""


class GuardsConfig(Section):
    """Limits on destructive change; what exceeds one waits for a person (`stocksync plan`)."""

    zeroed: Share = 0.15
    """Of the managed cells, dropping to zero in one cycle."""
    deleted: Share = 0.15
    """Of the managed cells, removed in one cycle."""
    changed: Share = 0.60
    """Of the managed cells, changed by a cycle that is not the first."""
    total_fall: Share = 0.30
    """Of the catalogue's usual size, missing from a reading."""
    minimum_cells: Annotated[int, Field(ge=0)] = 20
    """Below this many cells no share is ever exceeded."""
    quarantined: Share = 0.05
    """Of the cells, refused by Qoyod's rows or by the target: above this the account is not well."""


class DriftConfig(Section):
    """The audit: the live target compared with what we wrote."""

    interval: PositiveDuration = timedelta(hours=1)
    """How often the target is audited."""
    heal: bool = False
    """true: put back what was edited in the target, through the same guards; false: only report."""


class AccountConfig(Section):
    """One Qoyod tenant, with its credential, its poll and its target."""

    name: Word = ""
    """How logs, metrics and commands call it: a-z, 0-9, _ and -."""
    title: Title = ""
    """What people are shown on the page and in messages, in any script; left out: its name."""
    tenant: OptionalWord = ""
    """Accounts of one Qoyod company share its request limit; left out: those of one credential are one company."""
    base_url: WebAddress = "https://api.qoyod.com/2.0"
    """Qoyod's API; https://sandbox.qoyod.com/api/2.0 to try."""
    proxy: ProxyUrl = ""
    """A proxy on the way to Qoyod, such as http://proxy:3128; "env": what HTTPS_PROXY and NO_PROXY say."""
    auth: AuthConfig = Field(default_factory=AuthConfig)
    poll: PollConfig = Field(default_factory=PollConfig)
    target: TargetConfig = Field(default_factory=TargetConfig)
    locations: LocationsConfig = Field(default_factory=LocationsConfig)
    policy: PolicyConfig = Field(default_factory=PolicyConfig)
    guards: GuardsConfig = Field(default_factory=GuardsConfig)
    drift: DriftConfig = Field(default_factory=DriftConfig)

    @model_validator(mode="before")
    @classmethod
    def _tenant_by_its_former_name(cls, given: Any) -> Any:  # noqa: ANN401  raw values of any shape
        """Read `poll.budget` of version 0.1 as the tenant, so that its configurations go on working."""
        poll = given.get("poll") if isinstance(given, dict) else None
        if not isinstance(poll, dict) or "budget" not in poll:
            return given
        rest = {key: value for key, value in poll.items() if key != "budget"}
        return {"tenant": poll["budget"], **given, "poll": rest}
