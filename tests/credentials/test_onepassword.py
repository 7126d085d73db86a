"""1Password's side. Its cloud is not at hand: a fake stands at the edge of the SDK's client and answers with its types.

Loading the SDK's native core, and a token that it refuses, are real.
"""

import asyncio

import pytest
from onepassword.errors import RateLimitExceededException
from onepassword.types import ResolveAllResponse

from approvals.credentials import onepassword
from approvals.credentials.broker import Broker
from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)
from approvals.credentials.journal import Happening
from approvals.credentials.onepassword import OnePassword, Resolver, service_account
from approvals.credentials.reference import Reference, Scheme
from approvals.credentials.secret import Secret
from tests.credentials.journals import StrictJournal
from tools.redaction import redact

KEY = Reference.parse("op://On call/Orders API/key")
USER = Reference.parse("op://On call/Orders API/admin/username")
VALUES = {str(KEY): "the-value-of-the-key", str(USER): "the-name-of-the-user"}


class FakeSecrets:
    """What the SDK's `client.secrets` is, without a cloud behind it. It answers each reference, or says why not."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.errors: dict[str, str] = {}
        self.omitted: set[str] = set()
        self.raises: list[Exception] = []
        self.hangs = False

    async def resolve_all(self, secret_references: list[str]) -> ResolveAllResponse:
        assert secret_references
        assert len(set(secret_references)) == len(secret_references)
        self.asked.append(secret_references)
        if self.hangs:
            await asyncio.Event().wait()
        if self.raises:
            raise self.raises.pop(0)
        answers = {each: self._answer(each) for each in secret_references if each not in self.omitted}
        return ResolveAllResponse.model_validate({"individualResponses": answers})

    def _answer(self, reference: str) -> dict[str, object]:
        if kind := self.errors.get(reference):
            error = {"type": kind, "message": "op://secret-words"} if kind in ("parsing", "other") else {"type": kind}
            return {"error": error}
        if reference not in VALUES:
            return {"error": {"type": "itemNotFound"}}
        return {"content": {"secret": VALUES[reference], "itemId": "i", "vaultId": "v"}}


@pytest.fixture
def secrets() -> FakeSecrets:
    return FakeSecrets()


@pytest.fixture
def store(secrets: FakeSecrets) -> OnePassword:
    return store_of(secrets)


def store_of(secrets: FakeSecrets) -> OnePassword:
    async def connect() -> Resolver:
        return secrets

    return OnePassword(connect, in_development=False)


async def test_values_are_lent_noted_and_forgotten(store: OnePassword, secrets: FakeSecrets) -> None:
    journal = StrictJournal()
    broker = Broker({Scheme.ONEPASSWORD: store}, journal, owner="runner-1")
    async with broker.lend([KEY, USER], purpose="orders", request_id="req-1", ttl_s=30) as lent:
        assert [lent[each].reveal() for each in (KEY, USER)] == list(VALUES.values())
    assert secrets.asked == [[str(KEY), str(USER)]], "one request for all of them"
    assert journal.happenings() == [Happening.LENT, Happening.RETURNED]
    broker.close()
    assert VALUES[str(KEY)] in redact(VALUES[str(KEY)]), "neither the use nor the cache holds it any more"


async def test_uses_at_the_same_time_share_a_value_and_a_later_use_asks_anew(
    store: OnePassword, secrets: FakeSecrets
) -> None:
    first = await store.fetch([KEY], ttl_s=30)
    second = await store.fetch([KEY, USER], ttl_s=30)
    assert secrets.asked == [[str(KEY)], [str(USER)]]
    await store.revoke(first.lease.id)
    third = await store.fetch([KEY], ttl_s=30)
    assert len(secrets.asked) == 2, "the second still has it"
    for grant in (second, third):
        await store.revoke(grant.lease.id)
    await store.fetch([KEY], ttl_s=30)
    assert len(secrets.asked) == 3


async def test_two_that_want_a_value_at_once_ask_once(store: OnePassword, secrets: FakeSecrets) -> None:
    await asyncio.gather(*(store.fetch([KEY], ttl_s=30) for _ in range(5)))
    assert secrets.asked == [[str(KEY)]]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("itemNotFound", CredentialsMissing),
        ("vaultNotFound", CredentialsMissing),
        ("fieldNotFound", CredentialsMissing),
        ("noMatchingSections", CredentialsMissing),
        ("tooManyItems", CredentialsRefused),
        ("parsing", CredentialsRefused),
        ("other", CredentialsRefused),
    ],
)
async def test_what_does_not_resolve_says_why_in_our_words(
    error: str, kind: type[CredentialsError], store: OnePassword, secrets: FakeSecrets
) -> None:
    secrets.errors[str(USER)] = error
    with pytest.raises(kind, match=error) as caught:
        await store.fetch([KEY, USER], ttl_s=30)
    assert str(USER) in str(caught.value)
    assert "secret-words" not in str(caught.value)
    assert VALUES[str(KEY)] in redact(VALUES[str(KEY)]), "the one that did resolve is let go of"


async def test_a_reference_that_is_not_answered_is_unavailable(store: OnePassword, secrets: FakeSecrets) -> None:
    secrets.omitted = {str(USER)}
    with pytest.raises(CredentialsUnavailable, match="does not say anything"):
        await store.fetch([KEY, USER], ttl_s=30)


async def test_a_rate_limit_leaves_1password_alone_for_a_while(
    store: OnePassword, secrets: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.raises = [RateLimitExceededException("the-quota-of-somebody")]
    for _ in range(3):
        with pytest.raises(CredentialsUnavailable, match="too often") as caught:
            await store.fetch([KEY], ttl_s=30)
        assert caught.value.retry_after_s == onepassword.PAUSE_S
    with pytest.raises(CredentialsUnavailable, match="too often"):
        await store.health()
    assert len(secrets.asked) == 1

    monkeypatch.setattr(onepassword, "PAUSE_S", 0.05)
    again = FakeSecrets()
    again.raises = [RateLimitExceededException("the-quota-of-somebody")]
    grant = await store_of(again).fetch([KEY], ttl_s=30)
    assert grant.secrets[KEY].reveal() == VALUES[str(KEY)]
    assert len(again.asked) == 2, "a pause that fits into the fetch is waited for"


async def test_a_failure_is_tried_again_and_nothing_that_it_says_is_passed_on(
    store: OnePassword, secrets: FakeSecrets
) -> None:
    secrets.raises = [Exception("an-error-with-a-value")]
    assert (await store.fetch([KEY], ttl_s=30)).secrets[KEY].reveal() == VALUES[str(KEY)]
    secrets.raises = [Exception("an-error-with-a-value")] * 3
    with pytest.raises(CredentialsUnavailable, match="fails for values: Exception") as caught:
        await store.fetch([USER], ttl_s=30)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_1password_that_hangs_is_unavailable_in_time(
    store: OnePassword, secrets: FakeSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onepassword, "CALL_WITHIN_S", 0.05)
    secrets.hangs = True
    with pytest.raises(CredentialsUnavailable, match=r"did not answer within 0\.05 s"):
        await store.fetch([KEY], ttl_s=30)


async def test_what_is_held_needs_no_renewal(store: OnePassword) -> None:
    grant = await store.fetch([KEY], ttl_s=30)
    assert await store.renew(grant.lease, ttl_s=60) == grant.lease
    assert await store.health() == "the service account is let in"


@pytest.mark.parametrize("text", ["no-token-at-all", "ops_bm8tanNvbg"])
async def test_a_token_that_is_none_is_refused_by_the_sdks_own_core(text: str) -> None:
    token = Secret(text, name="1Password token", in_development=False)
    store = OnePassword(service_account(token), in_development=False)
    with pytest.raises(CredentialsRefused, match="does not accept the service account's token") as caught:
        await store.health()
    assert text not in str(caught.value)
    token.forget()


async def test_the_sdk_is_told_who_asks_and_its_secrets_are_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeClient:
        secrets = FakeSecrets()

        @classmethod
        async def authenticate(cls, auth: str, integration_name: str, integration_version: str) -> "FakeClient":
            assert (auth, integration_name) == ("ops_a-token-of-the-test", "Locum")
            assert integration_version
            return cls()

    monkeypatch.setattr("onepassword.Client", FakeClient)
    token = Secret("ops_a-token-of-the-test", name="1Password token", in_development=False)
    store = OnePassword(service_account(token), in_development=False)
    assert (await store.fetch([KEY], ttl_s=30)).secrets[KEY].reveal() == VALUES[str(KEY)]
    token.forget()
