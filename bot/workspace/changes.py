"""Tells whoever looks at the workspace that something in it changed."""

import asyncio


class Changes:
    """A counter that can be waited on."""

    def __init__(self) -> None:
        self.version = 0
        self._event = asyncio.Event()

    def bump(self) -> None:
        self.version += 1
        self._event.set()
        self._event = asyncio.Event()

    async def after(self, version: int) -> int:
        """Wait until something changed since `version`; the new version."""
        while self.version <= version:
            await self._event.wait()
        return self.version
