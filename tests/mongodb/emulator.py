"""A wire-protocol emulator: it answers MongoDB's OP_MSG from a table, and what is not in the table with code 59.

There is no database behind it: what is tested here is how Locum asks and reads, not how MongoDB behaves.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import bson

Reply = Mapping[str, Any]
Script = Mapping[str, Reply | Callable[[Mapping[str, Any]], Reply]]

HELLO: Reply = {
    "isWritablePrimary": True,
    "helloOk": True,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 1 << 24,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}
_OP_QUERY, _OP_REPLY, _OP_MSG = 2004, 1, 2013


def refusal(code: int, message: str = "not authorized") -> Reply:
    return {"ok": 0.0, "code": code, "errmsg": message}


def batch(*documents: Reply, namespace: str = "admin.$cmd.aggregate") -> Reply:
    """The reply to a command that opens a cursor, exhausted at once."""
    return {"cursor": {"id": bson.Int64(0), "ns": namespace, "firstBatch": list(documents)}}


class Emulator:
    """One server; what it was asked stands in `asked`, handshakes left out."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Mapping[str, Any]] = []
        self.app_names: set[str] = set()
        self.silent = False
        self.uri = ""

    def answer(self, command: Mapping[str, Any]) -> Reply:
        name = next(iter(command))
        if name.lower() in ("hello", "ismaster"):
            if "client" in command:
                self.app_names.add(command["client"].get("application", {}).get("name", ""))
            return {**HELLO, "ok": 1.0}
        if name in ("ping", "endSessions"):
            return {"ok": 1.0}
        self.asked.append(command)
        reply = self.script.get(name)
        if reply is None:
            return refusal(59, f"no such command: '{name}'")
        return {"ok": 1.0, **(reply(command) if callable(reply) else reply)}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size, request, _, opcode = struct.unpack("<4i", await reader.readexactly(16))
                body = await reader.readexactly(size - 16)
                is_query = opcode == _OP_QUERY
                start = body.index(b"\0", 4) + 9 if is_query else 5
                (length,) = struct.unpack_from("<i", body, start)
                command: dict[str, Any] = bson.decode(body[start : start + length])  # pyright: ignore[reportUnknownMemberType]
                if self.silent and next(iter(command)).lower() not in ("hello", "ismaster"):
                    continue
                answer = bson.encode(self.answer(command))
                head, code = (struct.pack("<iqii", 8, 0, 0, 1), _OP_REPLY) if is_query else (bytes(5), _OP_MSG)
                writer.write(struct.pack("<4i", 16 + len(head) + len(answer), 1, request, code) + head + answer)
        writer.close()


@contextlib.asynccontextmanager
async def emulated(script: Script) -> AsyncGenerator[Emulator]:
    """A running emulator."""
    emulator = Emulator(script)
    server = await asyncio.start_server(emulator.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    emulator.uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    try:
        yield emulator
    finally:
        server.close()
