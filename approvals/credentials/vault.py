"""Vault and OpenBao: KV v2 values, dynamic database logins and Kubernetes tokens, with their leases.

A lease that nobody saw, because its answer came after we went, ends with its time or with our login.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog

from approvals.credentials.errors import CredentialsEnded, CredentialsError, CredentialsRefused
from approvals.credentials.logins import Login
from approvals.credentials.provider import Grant, Lease, held, is_held
from approvals.credentials.reference import Reference
from approvals.credentials.secret import Secret, sealed
from approvals.credentials.vault_http import Address, VaultHttp, part
from tools.retrying import attempts

ATTEMPTS_WITHIN_S = 20.0
SHORTEST_KUBERNETES_S = 600
"""Kubernetes makes no tokens for less; they end sooner all the same, when their lease is revoked."""

_log = structlog.get_logger("locum.credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    secret: Secret
    accessor: str
    ttl_s: float
    is_renewable: bool
    got_at_s: float
    """By the monotonic clock."""

    @property
    def left_s(self) -> float:
        return self.got_at_s + self.ttl_s - time.monotonic()

    @property
    def is_due(self) -> bool:
        return self.is_renewable and self.left_s < self.ttl_s / 3


class Vault:
    """One login to one Vault, made when it is first needed."""

    def __init__(self, address: Address, login: Login) -> None:
        self._address = address
        self._login = login
        self._token: _Token | None = None
        self._logging_in = asyncio.Lock()
        self._http = VaultHttp(address)

    async def fetch(self, references: Sequence[Reference], *, ttl_s: float) -> Grant:
        """The fields of one path.

        A lease that would last longer than `ttl_s` is shortened to it.

        Raises:
            CredentialsMissing: when Vault has nothing there.
            CredentialsRefused: when the policy does not allow it, or no login is possible any more.
            CredentialsUnavailable: when Vault is down, sealed or too slow.
        """
        path = references[0].path
        kv = f"{self._address.kv_mount}/"
        if path.startswith(kv):
            answer = await self._ask("get", f"{kv}data/{path.removeprefix(kv)}", what=f"reading {path!r}")
            return self._grant(references, part(answer, "data", "data"), held(ttl_s))
        is_kubernetes = path.startswith(f"{self._address.kubernetes_mount}/")
        if is_kubernetes:
            # Its leases cannot be renewed, so that it must be said now how long they may last.
            seconds = max(SHORTEST_KUBERNETES_S, math.ceil(ttl_s))
            answer = await self._ask("post", path, {"ttl": f"{seconds}s"}, what=f"reading {path!r}")
        else:
            answer = await self._ask("get", path, what=f"reading {path!r}")
        if not answer.get("lease_id"):
            raise CredentialsRefused(f"{path!r} gives no lease; only {kv!r} holds values that last")
        lease, values = self._lease(answer), dict(cast("Mapping[str, object]", part(answer, "data")))
        if is_kubernetes:
            values["token"] = values.get("service_account_token")
        try:
            if lease.ttl_s > ttl_s and lease.is_renewable:
                lease = await self.renew(lease, ttl_s=ttl_s)
            return self._grant(references, values, lease)
        except CredentialsError:
            await self.revoke(lease.id)
            raise

    async def renew(self, lease: Lease, *, ttl_s: float) -> Lease:
        """The extended lease; our own token is extended first where it has to be, for a lease dies with it.

        Raises:
            CredentialsMissing: when the lease is gone.
            CredentialsRefused: when the policy does not allow it.
            CredentialsUnavailable: when Vault is down, sealed or too slow.
        """
        body = {"lease_id": lease.id, "increment": math.ceil(ttl_s)}
        return self._lease(await self._ask("put", "sys/leases/renew", body, what="the renewal of a lease"))

    async def revoke(self, lease_id: str) -> None:
        """Returns when the lease is revoked and not only queued for it; one that Vault does not know is fine.

        Raises:
            CredentialsRefused: when the policy does not allow it.
            CredentialsUnavailable: when Vault, or what it must ask, is down.
        """
        if is_held(lease_id):
            return
        await self._ask("put", "sys/leases/revoke", {"lease_id": lease_id, "sync": True}, what="the end of a lease")

    async def health(self) -> str:
        """How Vault is, and our login where there is one; never logs in, as a wrapped secret id works once.

        Raises:
            CredentialsUnavailable: when Vault is down, sealed, not initialised or too slow.
            CredentialsRefused: when the login is no longer valid.
        """
        await self._http.once("get", "sys/health?standbyok=true", what="the health of Vault")
        if self._token is None:
            return "answers; not logged in yet"
        await self._http.once(
            "get", "auth/token/lookup-self", token=self._token.secret.reveal(), what="the look at our own login"
        )
        return f"answers; logged in for {max(0.0, self._token.left_s):.0f} s"

    async def aclose(self) -> None:
        """Revokes our own login, and with it every lease that it made."""
        token, self._token = self._token, None
        try:
            if token is not None:
                await self._http.once(
                    "post", "auth/token/revoke-self", token=token.secret.reveal(), what="the end of our own login"
                )
        except CredentialsError as error:
            _log.warning("the login to Vault could not be ended; it ends with its time", reason=str(error))
        finally:
            if token is not None:
                token.secret.forget()
            self._login.close()
            self._http.close()

    def _grant(self, references: Sequence[Reference], values: Mapping[str, object], lease: Lease) -> Grant:
        fields = {reference: values.get(reference.field) for reference in references}
        secrets = sealed(fields, in_development=self._address.in_development)
        return Grant(secrets=secrets, lease=lease, accessor=self._token.accessor if self._token else "")

    def _lease(self, answer: Mapping[str, Any]) -> Lease:
        token_left_s = self._token.left_s if self._token else math.inf
        return Lease(
            id=str(part(answer, "lease_id")),
            ttl_s=min(float(part(answer, "lease_duration")), token_left_s),
            is_renewable=bool(part(answer, "renewable")),
        )

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, what: str
    ) -> Mapping[str, Any]:
        """Asks with our login; logs in anew when Vault does not know it any more."""
        token = await self._ready()
        try:
            return await self._attempts(method, path, body, token=token, what=what)
        except CredentialsRefused:
            # A policy says no in the same words as a Vault that has forgotten us.
            if await self._is_known(token):
                raise
        self._drop(token)
        return await self._attempts(method, path, body, token=await self._ready(), what=what)

    async def _is_known(self, token: _Token) -> bool:
        try:
            await self._attempts("get", "auth/token/lookup-self", None, token=token, what="the look at our own login")
        except (CredentialsRefused, CredentialsEnded):
            # Ended: somebody else found out before us, and has dropped it.
            return False
        return True

    async def _ready(self) -> _Token:
        async with self._logging_in:
            if self._token is not None and self._token.left_s <= 0:
                self._drop(self._token)
            if self._token is not None and self._token.is_due:
                await self._extend(self._token)
            if self._token is None:
                self._token = self._made(await self._login.log_in(self._http.once))
            return self._token

    async def _extend(self, token: _Token) -> None:
        try:
            answer = await self._attempts("post", "auth/token/renew-self", {}, token=token, what="our own renewal")
        except CredentialsRefused:
            self._drop(token)
        else:
            # The same value comes back; the one that is hidden already goes on.
            auth = part(answer, "auth")
            self._token = _Token(
                secret=token.secret,
                accessor=token.accessor,
                ttl_s=float(part(auth, "lease_duration")),
                is_renewable=bool(part(auth, "renewable")),
                got_at_s=time.monotonic(),
            )

    def _made(self, auth: Mapping[str, Any]) -> _Token:
        return _Token(
            secret=Secret(part(auth, "client_token"), name="Vault token", in_development=False),
            accessor=str(part(auth, "accessor")),
            ttl_s=float(part(auth, "lease_duration")),
            is_renewable=bool(part(auth, "renewable")),
            got_at_s=time.monotonic(),
        )

    def _drop(self, token: _Token) -> None:
        if self._token is token:
            self._token = None
        token.secret.forget()

    async def _attempts(
        self, method: str, path: str, body: Mapping[str, object] | None, *, token: _Token, what: str
    ) -> Mapping[str, Any]:
        value = token.secret.reveal()
        return await attempts(
            lambda: self._http.once(method, path, body, token=value, what=what), within_s=ATTEMPTS_WITHIN_S
        )
