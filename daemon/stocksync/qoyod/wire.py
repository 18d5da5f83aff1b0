"""Qoyod's JSON as typed values: strict about figures, tolerant about everything that only displays.

A page is split into raw rows, each of which is decoded by itself: one bad row harms one row, and a row whose bytes
are those of a settled product costs one digest. Figures are kept as raw text until they are proven to be decimals: no
float touches them.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from stocksync.core.model import BadRow, Product
from stocksync.core.recognition import row_digest
from stocksync.errors import SourceUnavailable
from stocksync.qoyod.settings import Filter

MAX_DIGITS = 15
MAX_DECIMALS = 10
LARGEST_PAGE = 100
"""Rows in a page, at most, as far as is proven."""
Settled = Mapping[bytes, int]
NOTHING_SETTLED: Settled = {}
_LARGE = 1024 * 1024
_LONGEST_PAGINATION = 65_536
_SMALLEST_MEAN = 8
"""Bytes a value takes on the average in the tersest list; Qoyod's own takes twice as many."""
_MAX_TEXT = 1000
_MAX_FIGURE = 64
_SHOWN = 60
_FIGURE = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?")
_TRACKED: Mapping[int | str, bool] = {1: True, 0: False, "1": True, "0": False}
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)

Id = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]


class PageUnreadable(SourceUnavailable):
    """A body with status 200 that is not what was asked for: HTML, half a JSON, a bare string."""


class _Stock(msgspec.Struct, gc=False):
    id: Id
    stock: msgspec.Raw
    name_en: Any = None
    name_ar: Any = None


class _Row(msgspec.Struct, gc=False):
    id: Id
    sku: str | None
    track_quantity: int | bool | str
    inventories: list[_Stock]
    name_en: Any = None
    name_ar: Any = None
    category_id: Any = None


class _Identified(msgspec.Struct, gc=False):
    id: Id


class _Page(msgspec.Struct):
    products: list[msgspec.Raw]
    pagination: msgspec.Raw = msgspec.Raw(b"")


class _One(msgspec.Struct):
    product: msgspec.Raw


class _Location(msgspec.Struct):
    id: Id
    name: Any = None
    ar_name: Any = None


class _Locations(msgspec.Struct):
    inventories: list[_Location]


_ROW = msgspec.json.Decoder(_Row)
_IDENTIFIED = msgspec.json.Decoder(_Identified)
_PAGE = msgspec.json.Decoder(_Page)
_ONE = msgspec.json.Decoder(_One)
_LOCATIONS = msgspec.json.Decoder(_Locations)


@dataclass(slots=True)
class Page:
    """One page of the list, as far as it could be read."""

    number: int
    read_at: datetime
    received_at: datetime | None = None
    echo: int | None = None
    total: int | None = None
    total_pages: int | None = None
    per_page: int | None = None
    ids: tuple[int | None, ...] = ()
    row_digests: bytes = b""
    """Those of its rows, one after the other."""
    products: list[Product] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    """Ids of settled products whose rows are byte for byte what they were."""
    bad: list[BadRow] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    """Ids of rows that do not match the filter that was asked for."""
    locations: dict[int, str] = field(default_factory=dict)


class _Bad(Exception):
    """A value of a row that nobody may guess at."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(reason)


def decode_page(  # noqa: PLR0917 - one order for list, look-up by SKU and benchmark
    body: bytes,
    number: int,
    read_at: datetime,
    wanted: Filter,
    most_bad: int = LARGEST_PAGE,
    settled: Settled = NOTHING_SETTLED,
    *,
    received_at: datetime | None = None,
) -> Page:
    """Decode a page of the product list.

    Raises:
        PageUnreadable: it is no product list at all, or more than `most_bad` of its rows are bad; single bad rows are
            in the answer instead.

    """
    _weigh(body)
    try:
        whole = _PAGE.decode(body)
    except _UNREADABLE as error:
        raise _unreadable(body, error) from error
    page = Page(number, read_at, received_at)
    _paginate(page, whole.pagination)
    rows = whole.products
    # Of most readings nearly every row is recognised: what is done to each of them costs as much as all the rest.
    ids: list[int | None] = list(map(settled.get, map(row_digest, rows)))
    page.recognised = [known for known in ids if known is not None]
    for index, raw in enumerate(rows):
        if ids[index] is not None:
            continue
        ids[index] = _take_raw(page, raw, f"$.products[{index}]", wanted, row_digest(raw))
        if len(page.bad) > most_bad:
            bad = page.bad[0]
            raise PageUnreadable(f"more than {most_bad} rows could not be read, the first at {bad.path}: {bad.reason}")
    page.ids, page.row_digests = tuple(ids), b"".join(map(row_digest, rows))
    return page


def decode_product(
    body: bytes, product_id: int, read_at: datetime, received_at: datetime | None = None
) -> Product | BadRow:
    """Decode the answer to a look-up by id.

    Raises:
        PageUnreadable: it is no product, or another one than was asked for.

    """
    _weigh(body)
    try:
        raw = _ONE.decode(body).product
    except _UNREADABLE as error:
        raise _unreadable(body, error) from error
    page = Page(0, read_at, received_at)
    shown = _take_raw(page, raw, "$.product", Filter())
    if shown is not None and shown != product_id:
        raise PageUnreadable(f"Qoyod answered with product {shown} when asked for {product_id}")
    if page.products:
        return page.products[0]
    bad = page.bad[0]
    return BadRow(product_id, 0, bad.path, bad.reason, read_at)


def decode_locations(body: bytes) -> dict[int, str]:
    """Decode the list of locations, id to name.

    Raises:
        PageUnreadable: it is no such list.

    """
    _weigh(body)
    try:
        rows = _LOCATIONS.decode(body).inventories
    except _UNREADABLE as error:
        raise _unreadable(body, error) from error
    return {row.id: _name(row.name, row.ar_name) or str(row.id) for row in rows}


def _weigh(body: bytes) -> None:
    """Refuse a large body that is made of nothing but tiny values: decoded, it would be many times its size."""
    if len(body) < _LARGE:
        return
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values * _SMALLEST_MEAN > len(body):
        raise PageUnreadable(f"Qoyod's answer of {len(body):,} bytes holds {values:,} values: no list is like that")


def _take_raw(page: Page, raw: msgspec.Raw, path: str, wanted: Filter, digest: bytes = b"") -> int | None:
    """Take one row that may be bad; gives its id, or None where even that cannot be read."""
    try:
        row = _ROW.decode(raw)
    except _UNREADABLE as error:
        product_id: int | None = None
        with suppress(*_UNREADABLE):
            product_id = _IDENTIFIED.decode(raw).id
        reason, _, inner = str(error).partition(" - at `$")
        page.bad.append(BadRow(product_id, page.number, path + inner.rstrip("`"), reason, page.read_at))
        return product_id
    # A row that does not name its category cannot be checked, and its figures are true all the same.
    category = wanted.category_id
    elsewhere = category is not None and row.category_id not in (None, category, str(category))
    if elsewhere or (wanted.sku is not None and row.sku != wanted.sku):
        page.dropped.append(row.id)
        return row.id
    try:
        page.products.append(_product(page, row, digest))
    except _Bad as bad:
        page.bad.append(BadRow(row.id, page.number, path + bad.path, bad.reason, page.read_at))
        return row.id
    for entry in row.inventories:
        if entry.id not in page.locations:
            page.locations[entry.id] = _name(entry.name_en, entry.name_ar) or str(entry.id)
    return row.id


def _product(page: Page, row: _Row, digest: bytes) -> Product:
    tracked = _TRACKED.get(row.track_quantity)
    if tracked is None:
        raise _Bad(".track_quantity", f"Expected 1 or 0, got `{_shown(str(row.track_quantity).encode())}`")
    sku = row.sku or ""
    if "\x00" in sku or len(sku) > _MAX_TEXT:
        raise _Bad(".sku", "SKU with a NUL character or of absurd length")
    stock: dict[int, Decimal] = {}
    for index, entry in enumerate(row.inventories):
        if entry.id in stock:
            raise _Bad(f".inventories[{index}].id", f"Location {entry.id} appears twice")
        figure = _figure(bytes(entry.stock))
        if figure is None:
            raise _Bad(f".inventories[{index}].stock", f"Expected a decimal, got `{_shown(bytes(entry.stock))}`")
        stock[entry.id] = figure
    return Product(
        row.id, sku, _name(row.name_en, row.name_ar), tracked=tracked, stock=stock, page=page.number,
        read_at=page.read_at, received_at=page.received_at, digest=digest,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _figure(raw: bytes) -> Decimal | None:
    """Give the exact decimal of a JSON number or string; None for anything else and for absurd sizes."""
    text = raw[1:-1] if raw[:1] == b'"' else raw
    match = _FIGURE.fullmatch(text) if len(text) <= _MAX_FIGURE else None
    if match is None:
        return None
    sign, whole, fraction, exponent = match.groups()
    digits = (whole + (fraction or b"")).lstrip(b"0") or b"0"
    shift = int(exponent or 0) - len(fraction or b"")
    while digits != b"0" and shift < 0 and digits.endswith(b"0"):
        digits, shift = digits[:-1], shift + 1
    if digits == b"0":
        return Decimal(0)
    if len(digits) + shift > MAX_DIGITS or -shift > MAX_DECIMALS:
        return None
    if shift > 0:
        digits, shift = digits + b"0" * shift, 0
    return Decimal((1 if sign else 0, tuple(digit - 48 for digit in digits), shift))


def _paginate(page: Page, raw: msgspec.Raw) -> None:
    try:
        pagination = msgspec.json.decode(raw) if len(bytes(raw)) <= _LONGEST_PAGINATION else None
    except _UNREADABLE:
        return
    if not isinstance(pagination, dict):
        return
    page.echo = _count(pagination.get("currentPage"))
    page.total = _count(pagination.get("total"))
    page.total_pages = _count(pagination.get("totalPages"))
    page.per_page = _count(pagination.get("perPage"))


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**MAX_DIGITS:
        return value
    return None


def _name(english: object, arabic: object) -> str:
    named = next((name for name in (english, arabic) if isinstance(name, str) and name), "")
    return named.replace("\x00", "")[:_MAX_TEXT]


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    return "".join(c if c.isprintable() else " " for c in text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")


def _unreadable(body: bytes, error: Exception) -> PageUnreadable:
    if body.lstrip()[:1] == b"<":
        return PageUnreadable(f"a web page came instead of data (a proxy, a captive portal?): {_shown(body[:400])}")
    return PageUnreadable(f"Qoyod's answer could not be understood ({error}): {_shown(body[:400])}")
