"""Credentials: rotated keys, revoked keys, and tokens that are renewed once and stored before they are used."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from qoyod_catalogue import Catalogue, answer, row, source_over
from qoyod_told import Told
from structlog.testing import capture_logs
from virtual_time import EPOCH, LoopClock, virtually

from stocksync.core.model import Verdict
from stocksync.errors import SourceUnavailable, StateUnavailable, Unauthorized
from stocksync.qoyod.credentials import KeyCredential, OAuthCredential
from stocksync.qoyod.transport import Response, TransportFault


class Tenant(Catalogue):
    """Accepts one credential and answers 401 to all others."""

    def __init__(self, accepted: str, header: str = "API-KEY") -> None:
        super().__init__([row(number) for number in range(1, 30)])
        self.accepted, self.header = accepted, header
        self.refused = 0
        self.refusal = 401

    async def get(self, path: str, params: Any, headers: Any) -> Response:
        if headers.get(self.header) == self.accepted:
            return await super().get(path, params, headers)
        await asyncio.sleep(0.1)
        self.refused += 1
        return answer({"error": f"Unauthorized - Invalid API key {headers}"}, self.refusal)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("api_key", {"API-KEY": "k"}),
        ("bearer", {"Authorization": "Bearer k"}),
        ("authorization", {"Authorization": "k"}),
    ],
)
def test_each_scheme_has_its_header(scheme: str, headers: dict[str, str]) -> None:
    async def work() -> None:
        credential = KeyCredential(scheme, lambda: "k\n")
        await credential.ready()
        assert credential.headers() == headers

    virtually(work)


@pytest.mark.parametrize("content", ["", "  \n", "kéy", "a\nb", "a\x00b"])
def test_a_secret_that_fits_no_header_is_unauthorized_and_not_shown(content: str) -> None:
    with pytest.raises(Unauthorized) as error:
        virtually(KeyCredential("api_key", lambda: content).ready)
    assert "kéy" not in str(error.value)


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unauthorized, match="qoyod\\.key"):
        virtually(KeyCredential("api_key", (tmp_path / "qoyod.key").read_text).ready)


def test_a_rotated_secret_file_needs_no_restart(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("old\n")
    tenant, told = Tenant("old"), Told()

    async def work() -> None:
        source = source_over(tenant, told=told, credential=KeyCredential("api_key", secret.read_text))
        assert (await source.read()).verdict is Verdict.COMPLETE
        tenant.accepted = "new"
        secret.write_text("new\n")
        assert (await source.read()).verdict is Verdict.COMPLETE

    virtually(work)
    assert tenant.refused == 1
    assert told.authorizations == [True]


def test_a_revoked_key_is_said_once_not_hammered_and_recovers_by_itself() -> None:
    tenant, told = Tenant("good"), Told()

    async def work() -> None:
        source = source_over(tenant, told=told, credential=KeyCredential("api_key", lambda: "good"))
        await source.read()
        tenant.accepted = "other"
        for _ in range(5):
            with pytest.raises(Unauthorized) as error:
                await source.read()
            assert "good" not in str(error.value)
            assert "***" in str(error.value)
        assert tenant.refused == 5, "one probe a read"
        tenant.accepted = "good"
        await source.read()

    with capture_logs() as logs:
        virtually(work)
    assert told.authorizations == [True, False, True]
    assert [each["event"] for each in logs if "auth" in each["event"]] == ["unauthorized", "authorized_again"]


def test_a_key_that_is_revoked_while_pages_are_read_ends_the_reading() -> None:
    tenant = Tenant("good")
    tenant.between = lambda: setattr(tenant, "accepted", "other") if len(tenant.asked) >= 3 else None
    with pytest.raises(Unauthorized):
        virtually(lambda: source_over(tenant, credential=KeyCredential("api_key", lambda: "good"), per_page=1).read())
    assert tenant.refused <= 4


def test_403_is_unauthorized_without_a_renewal() -> None:
    tenant, told = Tenant("good"), Told()
    tenant.refusal = 403
    read: list[str] = []

    def secret() -> str:
        read.append("once more")
        return "bad"

    with pytest.raises(Unauthorized, match="403"):
        virtually(lambda: source_over(tenant, told=told, credential=KeyCredential("api_key", secret)).read())
    assert (tenant.refused, len(read), told.authorizations) == (1, 1, [False])


class TokenStore:
    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.broken = False

    async def load(self, account: str) -> str | None:
        assert account == "main"
        return self.token

    async def save(self, _account: str, token: str) -> None:
        await asyncio.sleep(0.1)
        if self.broken:
            raise StateUnavailable("disk full")
        self.token = token


class Issuer:
    """A token endpoint with rotating refresh tokens, each good once, behind the Post callable."""

    def __init__(self, tenant: Tenant, *, rotates: bool = False, lifetime: Any = 3600) -> None:
        self.tenant, self.rotates, self.lifetime = tenant, rotates, lifetime
        self.forms: list[dict[str, str]] = []
        self.live_refresh = ""
        self.fate: Response | TransportFault | None = None
        self.stored_at_use: list[str | None] = []

    async def __call__(self, url: str, form: Any, _headers: Any) -> Response:
        assert url == "https://issuer/token"
        self.forms.append(dict(form))
        await asyncio.sleep(1)
        if isinstance(self.fate, TransportFault):
            raise self.fate
        if self.fate is not None:
            return self.fate
        if form["client_secret"] != "s3cret":
            return answer({"error": "invalid_client"}, 401)
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.live_refresh:
            return answer({"error": "invalid_grant"}, 400)
        number = len(self.forms)
        self.tenant.accepted = f"Bearer access-{number}"
        granted = {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotates:
            self.live_refresh = f"refresh-{number}"
            granted["refresh_token"] = self.live_refresh
        return answer(granted)

    def grants(self) -> list[str]:
        return [form["grant_type"] for form in self.forms]


def oauth(issuer: Issuer, tokens: TokenStore | None = None) -> OAuthCredential:
    return OAuthCredential(
        account="main",
        token_url="https://issuer/token",
        client_id="us",
        read_secret=lambda: "s3cret",
        session=issuer,
        tokens=tokens or TokenStore(),
        clock=LoopClock(),
        scope="inventory",
    )


def tenant_and_issuer(**more: Any) -> tuple[Tenant, Issuer]:
    tenant = Tenant("nobody yet", "Authorization")
    return tenant, Issuer(tenant, **more)


def test_client_credentials_give_a_token_that_many_requests_share() -> None:
    tenant, issuer = tenant_and_issuer()
    told = Told()

    async def work() -> None:
        source = source_over(tenant, told=told, credential=oauth(issuer), per_page=1)
        await asyncio.gather(*(source.locations() for _ in range(20)), source.read())

    virtually(work)
    assert issuer.forms == [
        {"grant_type": "client_credentials", "scope": "inventory", "client_id": "us", "client_secret": "s3cret"}
    ]
    assert tenant.refused == 0
    assert told.authorizations == [True]
    assert told.expiries == [EPOCH + timedelta(seconds=3601)]


def test_a_token_is_renewed_before_it_expires() -> None:
    tenant, issuer = tenant_and_issuer()
    told = Told()

    async def work() -> None:
        source = source_over(tenant, told=told, credential=oauth(issuer))
        for _ in range(5):
            await source.locations()
            await asyncio.sleep(3550)

    virtually(work)
    assert (len(issuer.forms), tenant.refused) == (5, 0)
    assert told.authorizations == [True] * 5, "each renewal is told with its new expiry"
    assert len(set(told.expiries)) == 5


def test_many_401s_at_once_are_one_renewal() -> None:
    tenant, issuer = tenant_and_issuer()

    async def work() -> None:
        source = source_over(tenant, credential=oauth(issuer))
        await source.locations()
        tenant.accepted = "Bearer revoked"
        await asyncio.gather(*(source.locations() for _ in range(20)))

    virtually(work)
    assert len(issuer.forms) == 2


def test_a_renewed_token_that_is_refused_too_is_unauthorized_after_one_retry() -> None:
    tenant, issuer = tenant_and_issuer()
    tenant.header = "No-Such-Header"
    told = Told()
    with pytest.raises(Unauthorized):
        virtually(lambda: source_over(tenant, told=told, credential=oauth(issuer)).read())
    assert (len(issuer.forms), tenant.refused, told.authorizations) == (2, 2, [False])


def test_a_rotating_refresh_token_is_stored_before_the_new_access_token_is_used() -> None:
    tenant, issuer = tenant_and_issuer(rotates=True, lifetime=100)
    tokens = TokenStore()
    stored_at_use: list[tuple[str, str | None]] = []
    tenant.between = lambda: stored_at_use.append((tenant.sent_headers[-1]["Authorization"], tokens.token))

    async def work() -> None:
        source = source_over(tenant, credential=oauth(issuer, tokens))
        for _ in range(3):
            await source.locations()
            await asyncio.sleep(99)
        restarted = source_over(tenant, credential=oauth(issuer, tokens))
        await restarted.locations()

    virtually(work)
    assert issuer.grants() == ["client_credentials", "refresh_token", "refresh_token", "refresh_token"]
    assert stored_at_use == [(f"Bearer access-{n}", f"refresh-{n}") for n in (1, 2, 3, 4)]


def test_a_new_refresh_token_outlives_a_token_store_that_is_away() -> None:
    tenant, issuer = tenant_and_issuer(rotates=True)
    tokens = TokenStore()
    tokens.broken = True

    async def work() -> None:
        source = source_over(tenant, credential=oauth(issuer, tokens), attempts=2)
        with pytest.raises(SourceUnavailable, match="disk full"):
            await source.locations()
        assert not tenant.asked, "nothing is used that is not stored"
        tokens.broken = False
        await asyncio.sleep(60)
        await source.locations()

    virtually(work)
    assert len(issuer.forms) == 1, "the unsaved grant was not thrown away"
    assert tokens.token == "refresh-1"


def test_a_refresh_token_that_is_dead_is_forgotten_and_client_credentials_take_over() -> None:
    tenant, issuer = tenant_and_issuer()
    tokens = TokenStore("dead")
    virtually(lambda: source_over(tenant, credential=oauth(issuer, tokens)).locations())
    assert issuer.grants() == ["refresh_token", "client_credentials"]
    assert not tokens.token


@pytest.mark.parametrize(
    ("fate", "error"),
    [
        (answer({"error": "invalid_client"}, 401), Unauthorized),
        (answer("oops", 503), SourceUnavailable),
        (answer("slow", 429), SourceUnavailable),
        (Response(200, {}, b"<html>"), SourceUnavailable),
        (answer({"access_token": ""}), SourceUnavailable),
        (answer({"access_token": "a\nb"}), SourceUnavailable),
        (answer({"access_token": None}), SourceUnavailable),
        (TransportFault("timeout", "no answer"), SourceUnavailable),
    ],
)
def test_a_token_endpoint_in_trouble_is_not_hammered_and_recovers(fate: Any, error: type[Exception]) -> None:
    tenant, issuer = tenant_and_issuer()
    issuer.fate = fate

    async def work() -> None:
        source = source_over(tenant, credential=oauth(issuer))
        results = await asyncio.gather(*(source.locations() for _ in range(50)), return_exceptions=True)
        assert {type(result) for result in results} == {error}
        assert len(issuer.forms) <= 5
        issuer.fate = None
        await asyncio.sleep(60)
        await source.locations()

    virtually(work)


@pytest.mark.parametrize("lifetime", [None, 0, -5, "soon", True, 10**12, [], "3600"])
def test_a_strange_lifetime_does_not_make_every_request_a_renewal(lifetime: Any) -> None:
    tenant, issuer = tenant_and_issuer(lifetime=lifetime)

    async def work() -> None:
        source = source_over(tenant, credential=oauth(issuer))
        for _ in range(5):
            await source.locations()

    virtually(work)
    assert len(issuer.forms) == 1


def test_no_secret_is_in_any_log_line_or_repr() -> None:
    tenant, issuer = tenant_and_issuer(rotates=True)
    credential = oauth(issuer)
    with capture_logs() as logs:
        virtually(lambda: source_over(tenant, credential=credential).read())
    assert not {"s3cret", "access-1", "refresh-1"} & set(json.dumps(logs, default=str).split('"'))
    assert "access" not in repr(credential)
