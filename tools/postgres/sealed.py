"""A PostgreSQL deployment whose credential nobody has granted: present, and not looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.errors import ToolNoSource


class SealedPostgres:
    """Implements the port `Postgres` of `tools.world` until somebody approves the credential."""

    def __init__(self, name: str, references: Sequence[str]) -> None:
        """Asks nothing.

        Args:
            name: how people call the deployment.
            references: where the credential lies (`op://vault/item/field`, `vault:path#field`), never a value.
        """
        self.name = name
        self.references = tuple(references)

    async def query(self, what: str) -> Sequence[Mapping[str, Any]]:
        """Refuses as what it is, a gap: that nothing was asked must not read as nothing found.

        Raises:
            ToolNoSource: always.
        """
        needed = ", ".join(self.references)
        raise ToolNoSource(
            f"Postgres {self.name!r} was not looked at: {what} needs {needed}, which nobody has approved"
        )
