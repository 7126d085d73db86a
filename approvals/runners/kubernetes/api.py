"""What the runner asks of an API server, and how that can end. Words only: no client library.

ApiError
├── Unsent     nobody was reached: nothing was sent
├── Lost       it was sent, and there is no answer that says what became of it
└── Answered   the server said no
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from tools.world import Object


class ApiError(Exception):
    """A request that did not do what it should."""


class Unsent(ApiError):
    """Nobody was reached: nothing was sent."""


class Lost(ApiError):
    """It was sent, and there is no answer that says what became of it."""


class Answered(ApiError):
    """The server said no; nothing was done."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api(Protocol):
    """One cluster's API server, with the rights of the runner. All methods raise `ApiError` kinds."""

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object, with its `apiVersion` and `kind`."""
        ...

    async def list(self, kind: str, namespace: str) -> Sequence[Object]:
        """All objects of a kind in one namespace, or in the cluster where the kind has none."""
        ...

    async def patch(
        self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]], *, dry_run: bool
    ) -> Object:
        """Applies JSON-patch operations; gives the object as it is then, or would be."""
        ...

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str, version: str, dry_run: bool) -> None:
        """Deletes the object, if it is still exactly that one."""
        ...

    def borrowing(self, token: Callable[[], str]) -> Self:
        """The same API server, where changes are made with that token; what is read, with the runner's own rights."""
        ...

    async def aclose(self) -> None:
        """Closes the connections."""
        ...
