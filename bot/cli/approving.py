"""Commands about approvals that need the settings: where the ledger and the policy are."""

import asyncio
from pathlib import Path

from bot.cli.outcome import BadInput, settings


def run_policy(action: str | None, *, environment: str | None, output: str) -> None:
    """Explains the policy of the settings, with the freezes that hold now."""
    from whenever import Instant

    from approvals.policy import Freeze
    from bot.cli.policy import run
    from bot.deciding import ledger_url
    from bot.stores.ledger.errors import LedgerError
    from bot.stores.ledger.ledger import open_ledger
    from bot.workflows.proposing import frozen

    current = settings()
    if current.approvals.policy is None:
        raise BadInput("no policy is set, so nothing can be approved: set LOCUM_APPROVALS__POLICY (docs/approvals.md)")

    async def freezes() -> tuple[Freeze, ...]:
        async with open_ledger(ledger_url(current)) as ledger:
            return frozen(await ledger.freezes(Instant.now()))

    try:
        held = asyncio.run(freezes())
    except (LedgerError, ValueError) as error:
        raise BadInput(str(error)) from error
    run(current.approvals.policy.expanduser(), action=action, environment=environment, freezes=held, output=output)


def run_verify(*, anchors: Path | None, output: str) -> None:
    """Verifies the audit of the settings' ledger."""
    from bot.cli.audit import run_verify as verify
    from bot.deciding import ledger_url

    verify(url=ledger_url(settings()), anchors=anchors, output=output)


def run_audit(*, request_id: str | None, limit: int, output: str) -> None:
    """Shows the audit of the settings' ledger."""
    from bot.cli.audit import run_show
    from bot.deciding import ledger_url

    run_show(url=ledger_url(settings()), request_id=request_id, limit=limit, output=output)


def run_secrets(file: Path, *, port: int) -> None:
    """Serves secrets for development."""
    from bot.cli.dev import run

    run(file, port=port, in_production=settings().environment != "development")
