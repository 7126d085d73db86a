"""1Password by its SDK, as a service account. There are no leases: values are held as long as a use lasts.

The SDK has a native core, loaded when it is first needed. It raises bare exceptions whose texts are not ours to trust,
so none of them is passed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol, TypeVar

from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)
from approvals.credentials.provider import Grant, Lease, held
from approvals.credentials.reference import Reference
from approvals.credentials.secret import Secret, sealed
from tools.retrying import attempts

CALL_WITHIN_S = 8.0
ATTEMPTS_WITHIN_S = 20.0
PAUSE_S = 60.0
"""After 1Password said that we ask too often, it is left alone this long."""

_MISSING = frozenset({"vaultNotFound", "itemNotFound", "fieldNotFound", "noMatchingSections"})


class Resolver(Protocol):
    """The part of the SDK's client that is used: `client.secrets`."""

    async def resolve_all(self, secret_references: list[str]) -> Any:
        """The SDK's `ResolveAllResponse`."""
        ...


T = TypeVar("T")
Connect = Callable[[], Awaitable[Resolver]]


@dataclass(slots=True, kw_only=True)
class _Known:
    secret: Secret
    leases: set[str] = field(default_factory=set[str])


class OnePassword:
    """One service account. Values are shared by uses at the same time, and forgotten with the last of them."""

    def __init__(self, connect: Connect, *, in_development: bool) -> None:
        """`connect` is `service_account(token)`; it is called once, when the first value is wanted."""
        self._connect = connect
        self._in_development = in_development
        self._resolver: Resolver | None = None
        self._asking = asyncio.Lock()
        self._known: dict[Reference, _Known] = {}
        self._paused_until_s = 0.0

    async def fetch(self, references: Sequence[Reference], *, ttl_s: float) -> Grant:
        """Their values; 1Password is asked for those alone that no other use has at this moment.

        Raises:
            CredentialsMissing: when one of them leads to nothing.
            CredentialsRefused: when one is ambiguous or cannot be used.
            CredentialsUnavailable: when 1Password does not answer, or we asked too often.
        """
        async with self._asking:
            wanted = [each for each in references if each not in self._known]
            if wanted:
                found = await attempts(lambda: self._resolved(wanted), within_s=ATTEMPTS_WITHIN_S)
                for reference, secret in sealed(found, in_development=self._in_development).items():
                    self._known[reference] = _Known(secret=secret)
            lease = held(ttl_s)
            values: dict[Reference, object] = {}
            for each in references:
                self._known[each].leases.add(lease.id)
                values[each] = self._known[each].secret.reveal()
        secrets = sealed(values, in_development=self._in_development)
        return Grant(secrets=secrets, lease=lease, accessor="")

    async def renew(self, lease: Lease, *, ttl_s: float) -> Lease:
        """What is held needs no renewal: the lease as it is.

        Raises:
            CredentialsError: never; the port allows it.
        """
        del ttl_s
        return lease

    async def revoke(self, lease_id: str) -> None:
        """Forgets the values that no other use has. 1Password itself knows no leases."""
        for reference, known in list(self._known.items()):
            known.leases.discard(lease_id)
            if not known.leases:
                self._known.pop(reference).secret.forget()

    async def health(self) -> str:
        """Whether the service account is let in; asks for no value.

        Raises:
            CredentialsRefused: when its token is refused.
            CredentialsUnavailable: when 1Password does not answer, or we asked too often.
        """
        async with self._asking:
            await self._open()
        return "the service account is let in"

    async def _open(self) -> Resolver:
        if asyncio.get_running_loop().time() < self._paused_until_s:
            raise CredentialsUnavailable("1Password says that we ask too often; waiting", retry_after_s=PAUSE_S)
        if self._resolver is None:
            self._resolver = await self._called("the login of the service account", self._connect)
        return self._resolver

    async def _resolved(self, references: Sequence[Reference]) -> Mapping[Reference, object]:
        resolver = await self._open()
        texts = [str(each) for each in references]
        answer = await self._called("values", lambda: resolver.resolve_all(texts))
        return {each: _value(each, answer.individual_responses.get(str(each))) for each in references}

    async def _called(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                return await call()
        except TimeoutError:
            failure = CredentialsUnavailable(f"1Password did not answer within {CALL_WITHIN_S:g} s for {what}")
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing more exact
            failure = self._judged(error, what)
        # Raised here: the SDK's own exception would stay with it as its context.
        raise failure

    def _judged(self, error: Exception, what: str) -> CredentialsError:
        from onepassword.errors import RateLimitExceededException

        if isinstance(error, RateLimitExceededException):
            self._paused_until_s = asyncio.get_running_loop().time() + PAUSE_S
            return CredentialsUnavailable("1Password says that we ask too often; waiting", retry_after_s=PAUSE_S)
        # Looked at for known words; the text itself goes nowhere.
        if "service account token" in str(error):
            return CredentialsRefused(f"1Password does not accept the service account's token for {what}")
        return CredentialsUnavailable(f"1Password fails for {what}: {type(error).__name__}")


def service_account(token: Secret) -> Connect:
    """How to log in with that token. It must be `forget`-ten by who made it, when the process ends."""

    async def connect() -> Resolver:
        # Here, for it takes a while: types for every part of 1Password, and the native core.
        from onepassword import Client

        client = await Client.authenticate(
            auth=token.reveal(), integration_name="Locum", integration_version=metadata.version("locum")
        )
        return client.secrets

    return connect


def _value(reference: Reference, response: Any) -> object:
    if response is None or (response.error is None and response.content is None):
        raise CredentialsUnavailable(f"1Password does not say anything about {reference}")
    if response.error is None:
        return response.content.secret
    kind = str(getattr(response.error.type, "value", response.error.type))
    if kind in _MISSING:
        raise CredentialsMissing(f"{reference} leads to nothing in 1Password: {kind}")
    raise CredentialsRefused(f"1Password does not resolve {reference}: {kind}")
