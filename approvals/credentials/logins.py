"""How Locum logs in to Vault: by AppRole with a wrapped secret id, or by the pod's own ServiceAccount.

A login gives Vault's `auth` object. What works once is used once: a wrapping token is unwrapped without a second try,
and a secret id is kept only while Vault could not say whether it took it.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from approvals.credentials.errors import (
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
    WrappingTokenUsed,
)
from approvals.credentials.secret import Secret
from approvals.credentials.vault_http import part

_log = structlog.get_logger("locum.credentials")


class Ask(Protocol):
    """One request to Vault, not repeated."""

    async def __call__(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str = "", what: str
    ) -> Mapping[str, Any]:
        """Vault's answer.

        Raises:
            approvals.credentials.errors.CredentialsError: when it gives none; `what` says in it what was asked.
        """
        ...


class Login(Protocol):
    """One way to log in."""

    async def log_in(self, ask: Ask) -> Mapping[str, Any]:
        """Vault's `auth` object.

        Raises:
            CredentialsError: when Vault does not let us in.
        """
        ...

    def close(self) -> None:
        """Lets go of what it still holds."""
        ...


class AppRole:
    """For machines outside a cluster. Somebody puts a wrapping token, which holds a secret id, into a file.

    A secret id works once. The token that it gave is renewed as long as Vault lets it be; then, or when it is revoked,
    a new wrapping token must be put into the file.
    """

    def __init__(self, *, role_id: str, wrapped_file: Path, mount: str = "approle") -> None:
        self._role_id = role_id
        self._file = wrapped_file
        self._mount = mount
        self._used = b""
        """Hash of the wrapping token that was used last."""
        self._secret_id: Secret | None = None

    async def log_in(self, ask: Ask) -> Mapping[str, Any]:
        """Vault's `auth` object.

        Raises:
            WrappingTokenUsed: when somebody else may have the secret id.
            CredentialsRefused: when the file still has the token that was used, or Vault does not take what it held.
            CredentialsMissing: when the file cannot be read.
            CredentialsUnavailable: when Vault does not answer; the next try goes on from there.
        """
        secret_id = self._secret_id = self._secret_id or await self._unwrapped(ask)
        body = {"role_id": self._role_id, "secret_id": secret_id.reveal()}
        try:
            answer = await ask("post", f"auth/{self._mount}/login", body, what="the login by AppRole")
        except CredentialsUnavailable:
            # It may not have been used: sealed or down, Vault takes none.
            raise
        except CredentialsRefused:
            self.close()
            raise
        self.close()
        return part(answer, "auth")

    def close(self) -> None:
        """Lets go of a secret id that was not taken."""
        if self._secret_id is not None:
            self._secret_id.forget()
            self._secret_id = None

    async def _unwrapped(self, ask: Ask) -> Secret:
        wrapping = await _one_token(self._file)
        fingerprint = hashlib.sha256(wrapping.encode()).digest()
        if fingerprint == self._used:
            raise CredentialsRefused(
                f"the login to Vault is over and cannot be repeated: a secret id works once, and {str(self._file)!r} "
                "still has the wrapping token that was used; put a new one there"
            )
        try:
            told = await ask("post", "sys/wrapping/lookup", {"token": wrapping}, what="the look at a wrapping token")
            self._check(told)
            answer = await ask("post", "sys/wrapping/unwrap", token=wrapping, what="the unwrapping of a secret id")
        except WrappingTokenUsed:
            raise
        except CredentialsRefused:
            raise self._alarm("Vault does not know it: it was used before, or is older than it may get") from None
        self._used = fingerprint
        return Secret(str(part(answer, "data", "secret_id")), name="Vault secret id", in_development=False)

    def _check(self, told: Mapping[str, Any]) -> None:
        # Who swapped the token for another one would have us log in with a secret id of their own.
        path = str(part(told, "data", "creation_path"))
        if not (path.startswith(f"auth/{self._mount}/role/") and path.endswith("/secret-id")):
            raise self._alarm("it does not hold a secret id of this login")

    def _alarm(self, why: str) -> WrappingTokenUsed:
        _log.error("ALARM: a wrapping token cannot be trusted", file=str(self._file), reason=why)
        return WrappingTokenUsed(
            f"the wrapping token in {str(self._file)!r} cannot be trusted: {why}; "
            "find out who used it, destroy its secret id, put a new one there"
        )


class Kubernetes:
    """For pods: the projected token of the ServiceAccount, whose audience Vault checks. Works again and again."""

    def __init__(self, *, role: str, token_file: Path, mount: str = "kubernetes") -> None:
        self._role = role
        self._file = token_file
        self._mount = mount

    async def log_in(self, ask: Ask) -> Mapping[str, Any]:
        """Vault's `auth` object.

        Raises:
            CredentialsRefused: when Vault does not take the token for this role.
            CredentialsMissing: when the token file cannot be read.
            CredentialsUnavailable: when Vault does not answer.
        """
        # The kubelet writes a new one now and then, so it is read each time.
        token = Secret(await _one_token(self._file), name="ServiceAccount token", in_development=False)
        try:
            body = {"role": self._role, "jwt": token.reveal()}
            answer = await ask("post", f"auth/{self._mount}/login", body, what="the login by Kubernetes")
        finally:
            token.forget()
        return part(answer, "auth")

    def close(self) -> None:
        """It holds nothing."""


async def _one_token(file: Path) -> str:
    try:
        text = (await asyncio.to_thread(file.read_bytes)).decode().strip()
    except OSError as error:
        raise CredentialsMissing(f"{str(file)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    # It becomes a header, where anything else would be quoted by the error that it causes.
    if not text or not all("!" <= each <= "~" for each in text):
        raise CredentialsRefused(f"{str(file)!r} does not hold one token")
    return text
