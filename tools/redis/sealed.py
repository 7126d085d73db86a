"""A Redis deployment whose credential nobody has granted: present, and not looked at."""

from collections.abc import Mapping
from typing import Any

from tools.errors import ToolNoSource


class SealedRedis:
    """Implements the port `Redis` of `tools.world` until somebody approves the credential."""

    def __init__(self, name: str, references: tuple[str, ...]) -> None:
        """Asks nothing. `references`: where the credential lies, never a value."""
        self.name = name
        self.references = references

    async def command(self, command: str) -> Mapping[str, Any]:
        """Refuses as what it is, a gap: that nothing was asked must not read as nothing found.

        Raises:
            ToolNoSource: always.
        """
        needed = ", ".join(self.references)
        raise ToolNoSource(
            f"Redis {self.name!r} was not looked at: {command} needs {needed}, which nobody has approved"
        )
