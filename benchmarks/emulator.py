"""A model without latency in a process of its own: `python -m benchmarks.emulator`.

It plays a model that looks once and then concludes with what it was shown. For each line that it gets it tells what
was asked since the last one, and for how long it was busy.
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tests.anthropic_emulator.script import Call, Say, claim, concluding
from tests.anthropic_emulator.server import Emulator

_SHOWN = re.compile(r"<outside (ev_\w+) \S+ FOUND>\nquery: .*\n(.+)")
LOOK = "read_evidence"

Json = dict[str, Any]


def answer(body: Mapping[str, Any]) -> Say:
    """One look at the first piece of evidence, then a claim that quotes it."""
    shown = _SHOWN.search(body["messages"][0]["content"][0]["text"])
    if shown is None:
        raise ValueError("the request shows no evidence")
    evidence, line = shown.groups()
    if len(body["messages"]) == 1 and any(tool["name"] == LOOK for tool in body["tools"]):
        return Say("I read it in full.", (Call(LOOK, {"id": evidence}),))
    return concluding(claim("This is what was seen", (evidence, line)))


class Busy:
    """Seconds in which at least one request was being answered."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._open = 0
        self._since_s = 0.0

    @web.middleware
    async def count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        now = asyncio.get_running_loop().time
        if not self._open:
            self._since_s = now()
        self._open += 1
        try:
            return await handler(request)
        finally:
            self._open -= 1
            if not self._open:
                self.seconds += now() - self._since_s


async def main() -> None:
    emulator, busy = Emulator(answer), Busy()
    app = web.Application(middlewares=[busy.count])
    app.router.add_post("/v1/messages", emulator.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    _tell({"url": f"http://{host}:{port}", "key": emulator.key})
    while await asyncio.to_thread(sys.stdin.readline):
        _tell({"sizes": emulator.sizes, "refusals": emulator.refusals, "busy_s": busy.seconds})
        emulator.sizes, emulator.refusals, busy.seconds = [], [], 0.0


def _tell(what: Json) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
