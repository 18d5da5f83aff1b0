"""The faults there are: names, places, what each does. `docs/simulator.md` lists exactly these."""

from dataclasses import dataclass
from enum import Enum, auto


class Phase(Enum):
    """At which point of answering a fault works."""

    ANSWER = auto()
    """Instead of the real answer."""
    CARRY = auto()
    """The real answer, damaged or held up on its way."""
    ASK = auto()
    """On what the list request asks for."""
    ROW = auto()
    """On products, one by one."""
    PAGE = auto()
    """On a finished list page."""
    DEED = auto()
    """Something happens in the business just before a page is served."""
    CREDENTIAL = auto()
    """On who is let in."""


ANYWHERE = ("all", "list", "page", "product", "inventories", "token")
LISTS = ("all", "list", "page")
ROWS = ("all", "list", "page", "product")
NUMBERED = ("page", "product", "location")
"""Places that need a number: `page-2`."""
PLACES = (*ANYWHERE, "location", "auth")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    name: str
    """As typed; `NNN` stands for a status, a final `N` for a number."""
    phase: Phase
    places: tuple[str, ...]
    example: str
    doc: str
    """One sentence."""
    argument: str = ""
    """What may follow the colon; "" where nothing may."""
    required: bool = False
    """True where the argument must be given."""
    once: bool = False
    """True where it happens once unless a count says otherwise."""


KINDS = (
    Kind(
        "NNN", Phase.ANSWER, ANYWHERE, "page-2=500x3",
        "Answers with this 4xx or 5xx status and the body Qoyod sends with it.", argument="another body",
    ),
    Kind(
        "429", Phase.ANSWER, ANYWHERE, "all=429x5:retry=2",
        "Answers 429 with `Retry-After` in seconds (60 unless told), as an HTTP date, or without it.",
        argument="retry=SECONDS, retry=date-SECONDS or retry=none",
    ),
    Kind("timeout", Phase.ANSWER, ANYWHERE, "all=timeout", "Takes the request and never sends a byte."),
    Kind("reset", Phase.ANSWER, ANYWHERE, "page-2=reset", "Resets the connection instead of answering."),
    Kind(
        "html", Phase.ANSWER, ANYWHERE, "page-1=html",
        "Answers 200 with an HTML page, as a proxy or captive portal does.",
    ),
    Kind(
        "challenge", Phase.ANSWER, ANYWHERE, "page-3=challenge",
        "Answers 403 with the HTML page by which Cloudflare asks for a browser; with a status, so instead.",
        argument="another 4xx status",
    ),
    Kind(
        "hostile", Phase.ANSWER, LISTS, "page-2=hostile",
        "Answers 200 with a page of 16 MB (or so many) whose rows are no products, as many as fit.",
        argument="megabytes",
    ),
    Kind(
        "string", Phase.ANSWER, ANYWHERE, "page-1=string",
        "Answers 200 with a bare JSON string.", argument="the string",
    ),
    Kind("empty-body", Phase.ANSWER, ANYWHERE, "page-1=empty-body", "Answers 200 with no body at all."),
    Kind(
        "redirect", Phase.ANSWER, ANYWHERE, "all=redirect",
        "Answers 307 to another address; whoever follows it shows in the request log under `/moved`.",
        argument="the address",
    ),
    Kind(
        "deep-json", Phase.ANSWER, ANYWHERE, "list=deep-json",
        "Answers 200 with JSON nested 500,000 deep.",
    ),
    Kind(
        "huge", Phase.ANSWER, ANYWHERE, "list=huge",
        "Answers 200 with valid JSON of 64 MB whose length is not announced.", argument="megabytes",
    ),
    Kind(
        "gzip-bomb", Phase.ANSWER, ANYWHERE, "list=gzip-bomb",
        "Answers 200 with a small gzip body that unpacks to 64 MB of JSON.", argument="megabytes",
    ),
    Kind(
        "nothing", Phase.ANSWER, ("list", "page"), "list=nothing",
        'Answers 404 with "We found nothing", as JSON, or with `:bare` as plain text.', argument="bare",
    ),
    Kind("stall", Phase.CARRY, ANYWHERE, "page-3=stall", "Sends the headers and half the body, then nothing more."),
    Kind(
        "drip", Phase.CARRY, ANYWHERE, "page-1=drip",
        "Sends the body a byte at a time, 0.2 s apart unless told, so that no read time-out fires.",
        argument="seconds between bytes",
    ),
    Kind(
        "truncate", Phase.CARRY, ANYWHERE, "page-2=truncate",
        "Announces the whole body, sends half of it and closes the connection.",
    ),
    Kind(
        "half-json", Phase.CARRY, ANYWHERE, "page-2=half-json",
        "Sends half the JSON as if that were all of it.",
    ),
    Kind(
        "slow", Phase.CARRY, ANYWHERE, "all=slow:0.5", "Answers properly, so many seconds late.",
        argument="seconds", required=True,
    ),
    Kind(
        "repeat-page-N", Phase.ASK, LISTS, "list=repeat-page-1",
        "Serves page N whatever page was asked for, and says so in `currentPage`.",
    ),
    Kind(
        "copy-page-N", Phase.ASK, LISTS, "page-3=copy-page-2",
        "Serves the rows of page N under the number that was asked for.",
    ),
    Kind(
        "no-pagination", Phase.ASK, LISTS, "list=no-pagination",
        "Serves every product in one body without a `pagination` key, as one real account did.",
    ),
    Kind("clamp-N", Phase.ASK, LISTS, "list=clamp-25", "Serves at most N products a page, whatever was asked for."),
    Kind(
        "ignore-filter", Phase.ASK, LISTS, "list=ignore-filter",
        "Ignores every `q[…]` filter and serves the unfiltered list.",
    ),
    Kind(
        "ignore-in", Phase.ASK, LISTS, "list=ignore-in",
        "Ignores filters of many values, `q[sku_in][]` among them, and follows the others.",
    ),
    Kind(
        "halve", Phase.ASK, LISTS, "list=halve",
        "Shows only the first half of the catalogue, with totals that fit; at `all` the rest is gone by id too.",
    ),
    Kind(
        "hidden", Phase.ASK, ("product",), "product-10=hidden",
        "Leaves the product out of the list, with totals that fit, while it is still found by id.",
    ),
    Kind(
        "gone", Phase.ASK, ("product",), "product-10=gone",
        "Leaves the product out of the list and answers `Product not found` by id, as if it were deleted.",
    ),
    Kind(
        "bad-stock", Phase.ROW, ROWS, "product-10=bad-stock:null",
        'Puts this JSON (null, "", true, NaN, 1e400, anything) in place of the first location\'s `stock`.',
        argument="JSON", required=True,
    ),
    Kind(
        "set", Phase.ROW, ROWS, "product-10=set:track_quantity=true",
        "Puts this JSON in place of a field of the product.", argument="FIELD=JSON", required=True,
    ),
    Kind(
        "drop", Phase.ROW, ROWS, "product-10=drop:sku", "Leaves a field of the product out.",
        argument="FIELD", required=True,
    ),
    Kind(
        "no-inventories", Phase.ROW, ROWS, "product-10=no-inventories",
        "Leaves the `inventories` key out, as a token of too narrow a scope may.",
    ),
    Kind(
        "no-movements", Phase.ROW, ROWS, "product-10=no-movements",
        "Sends `inventories` as `[]` though the product is tracked.",
    ),
    Kind("not-object", Phase.ROW, ROWS, "product-10=not-object", "Sends a string where the product's object belongs."),
    Kind(
        "mass-zero", Phase.ROW, ROWS, "list=mass-zero",
        "Sends every figure as 0; at `list` the look-up by id still tells the truth, at `all` it does not.",
    ),
    Kind(
        "lie-stock", Phase.ROW, ROWS, "list=lie-stock",
        "Sends every figure 7 too high in the list, so that it disagrees with the look-up by id.",
    ),
    Kind(
        "stock-as", Phase.ROW, ROWS, "all=stock-as:number",
        "Sends figures as strings, numbers, or integers where they are whole.",
        argument="string, number or integer", required=True,
    ),
    Kind(
        "track-as", Phase.ROW, ROWS, "all=track-as:bool",
        'Sends `track_quantity` as 1/0, true/false or "1"/"0".', argument="bit, bool or text", required=True,
    ),
    Kind(
        "vanish", Phase.ROW, ("location",), "location-3=vanish",
        "Leaves this location out of every product and out of `GET /inventories`.",
    ),
    Kind(
        "lost-pagination", Phase.PAGE, LISTS, "page-2=lost-pagination",
        "Serves the right rows without the `pagination` key.",
    ),
    Kind(
        "number-pagination", Phase.PAGE, LISTS, "list=number-pagination",
        "Sends `perPage` and `currentPage` as integers.",
    ),
    Kind(
        "wrong-total", Phase.PAGE, LISTS, "page-2=wrong-total:5",
        "Claims so many products more (or, with a minus, fewer) in `total`.", argument="a whole number", required=True,
    ),
    Kind("drop-row", Phase.PAGE, LISTS, "page-2=drop-row", "Leaves the page's last product out; the totals count it."),
    Kind("double-row", Phase.PAGE, LISTS, "page-2=double-row", "Sends the page's first product twice."),
    Kind("reversed", Phase.PAGE, LISTS, "page-2=reversed", "Sends the page's products in descending order."),
    Kind("empty-page", Phase.PAGE, LISTS, "page-2=empty-page", "Sends no product, with the pagination of a full page."),
    Kind(
        "delete-between-pages", Phase.DEED, ("list",), "list=delete-between-pages",
        "Deletes a product of page 1 (the first one unless told) just before page 2 is served.",
        argument="product id", once=True,
    ),
    Kind(
        "delete-before", Phase.DEED, ("page",), "page-3=delete-before:10",
        "Deletes a product (the first one unless told) just before this page is served.",
        argument="product id", once=True,
    ),
    Kind(
        "create-before", Phase.DEED, ("page",), "page-2=create-before",
        "Creates a product just before this page is served.", argument="its SKU", once=True,
    ),
    Kind(
        "set-before", Phase.DEED, ("page",), "page-2=set-before:10/1=4.5",
        "Sets a figure just before this page is served.", argument="PRODUCT/LOCATION=QUANTITY",
        required=True, once=True,
    ),
    Kind("revoke", Phase.CREDENTIAL, ("auth",), "auth=revoke", "Lets nobody in: 401 for every credential."),
    Kind(
        "rotate", Phase.CREDENTIAL, ("auth",), "auth=rotate:new-key",
        "Accepts only this API key from now on.", argument="the new key", required=True,
    ),
    Kind(
        "expire", Phase.CREDENTIAL, ("auth",), "auth=expire",
        "Lets every access token issued so far expire at once.", once=True,
    ),
    Kind(
        "forget-refresh", Phase.CREDENTIAL, ("auth",), "auth=forget-refresh",
        "Refuses every refresh token issued so far with `invalid_grant`.", once=True,
    ),
)  # fmt: skip
