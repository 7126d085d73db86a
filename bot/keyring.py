"""Builds what lends credentials in this process: the stores of the settings, and the journal of every loan.

Each store is opened once for a process, whatever number of its parts borrow: a wrapped secret id works once.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import structlog

from approvals.credentials.broker import Broker
from approvals.credentials.errors import CredentialsRefused, JournalFailed
from approvals.credentials.journal import Journal
from approvals.credentials.logins import AppRole, Kubernetes, Login
from approvals.credentials.provider import Provider
from approvals.credentials.reference import Scheme
from approvals.credentials.secret import Secret
from bot.proving.remembering import RememberingBroker
from bot.settings import Settings
from bot.stores.ledger.ledger import Ledger

SWEEP_EVERY_S = 60.0
"""What could not be given back is tried again after this time."""

_log = structlog.get_logger("locum.credentials")


class KeyringError(ValueError):
    """A store of credentials cannot be set up from these settings; the message names the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The stores of this process; nobody is logged in anywhere before the first value is wanted."""

    stores: Mapping[Scheme, Provider]

    @contextlib.asynccontextmanager
    async def broker(self, journal: Journal, *, owner: str, ledger: Ledger | None = None) -> AsyncGenerator[Broker]:
        """Whoever lends to one part of the process; what its earlier run left out is returned first.

        Args:
            journal: where every loan is written down.
            owner: the same in the part's next run, and nobody else's.
            ledger: keeps what the values can be recognised by afterwards; without one nothing can be proved of them.
        """
        lender = (
            RememberingBroker(self.stores, journal, owner=owner, ledger=ledger)
            if ledger
            else Broker(self.stores, journal, owner=owner)
        )
        try:
            await _swept(lender)
            yield lender
        finally:
            lender.close()


async def sweeping(broker: Broker) -> None:
    """Gives back what could not be given back at its time, again and again."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        await _swept(broker)


async def _swept(broker: Broker) -> None:
    try:
        found = await broker.sweep()
    except JournalFailed as error:
        _log.warning("credentials were not swept", reason=str(error))
        return
    if found.returned or found.left:
        _log.warning("credentials that were left out", returned=found.returned, left=found.left)


@contextlib.asynccontextmanager
async def open_keyring(settings: Settings) -> AsyncGenerator[Keyring]:
    """The stores of the settings.

    Raises:
        KeyringError: when the settings of a store of credentials cannot be used.
    """
    async with contextlib.AsyncExitStack() as open_now:
        yield Keyring(stores=_stores(settings, open_now))


def modes(settings: Settings) -> Mapping[Scheme, str]:
    """The stores of the settings, each with how Locum gets into it, in a word."""
    found: dict[Scheme, str] = {}
    if settings.vault.address:
        found[Scheme.VAULT] = "kubernetes" if settings.vault.role else "approle"
    if settings.onepassword.mode != "off":
        found[Scheme.ONEPASSWORD] = settings.onepassword.mode
    return found


def _stores(settings: Settings, open_now: contextlib.AsyncExitStack) -> dict[Scheme, Provider]:
    in_development = settings.environment == "development"
    found: dict[Scheme, Provider] = {}
    try:
        if settings.vault.address:
            from approvals.credentials.vault import Vault
            from approvals.credentials.vault_http import Address

            address = Address(
                url=settings.vault.address,
                namespace=settings.vault.namespace or "",
                ca_file=settings.vault.ca_file,
                kv_mount=settings.vault.kv_mount,
                kubernetes_mount=settings.vault.kubernetes_mount,
                in_development=in_development,
            )
            vault = Vault(address, _login(settings))
            open_now.push_async_callback(vault.aclose)
            found[Scheme.VAULT] = vault
        if settings.onepassword.mode != "off":
            found[Scheme.ONEPASSWORD] = _onepassword(settings, open_now, in_development=in_development)
    except (ValueError, CredentialsRefused) as error:
        raise KeyringError(str(error)) from error
    return found


def _login(settings: Settings) -> Login:
    vault = settings.vault
    if vault.role:
        return Kubernetes(role=vault.role, token_file=vault.token_file, mount=vault.auth_mount or "kubernetes")
    if vault.role_id and vault.wrapped_secret_id_file:
        return AppRole(
            role_id=vault.role_id, wrapped_file=vault.wrapped_secret_id_file, mount=vault.auth_mount or "approle"
        )
    raise KeyringError("vault: set role (in a cluster), or role_id and wrapped_secret_id_file")


def _onepassword(settings: Settings, open_now: contextlib.AsyncExitStack, *, in_development: bool) -> Provider:
    if settings.onepassword.mode == "local":
        from approvals.credentials.local import Local

        return Local(settings.onepassword.url, in_production=not in_development)
    if settings.onepassword.token is None:
        raise KeyringError("onepassword.token is not set: the mode `sdk` needs the token of a service account")
    from approvals.credentials.onepassword import OnePassword, service_account

    token = Secret(
        settings.onepassword.token.get_secret_value(), name="onepassword.token", in_development=in_development
    )
    open_now.callback(token.forget)
    return OnePassword(service_account(token), in_development=in_development)
