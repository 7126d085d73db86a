"""The local server of secrets for development: whoever is on this machine gets the values. It logs nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

HOST = "127.0.0.1"
STOP_S = 1

_UNCACHED = {"Cache-Control": "no-store"}


def create_app(values: Mapping[str, str]) -> Starlette:
    """The application that serves `values` by reference."""

    async def get_secret(request: Request) -> JSONResponse:
        value = values.get(request.path_params["reference"])
        if value is None:
            return JSONResponse({"error": "no value for this reference"}, status_code=404, headers=_UNCACHED)
        return JSONResponse({"value": value}, headers=_UNCACHED)

    async def get_health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "mode": "local"}, headers=_UNCACHED)

    return Starlette(
        routes=[
            Route("/secrets/{reference:path}", get_secret, methods=["GET"]),
            Route("/health", get_health, methods=["GET"]),
        ],
        # A page in the browser may have its own name point to this machine; then the name in its request is another.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False)],
    )


@contextlib.asynccontextmanager
async def serving(values: Mapping[str, str], listening: socket.socket) -> AsyncGenerator[str]:
    """Serves on a socket of this machine as long as the context lasts; gives the address."""
    server = _Server(
        uvicorn.Config(
            create_app(values), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=STOP_S
        )
    )
    # It listens already: who comes before the server is up waits a moment.
    task = asyncio.create_task(server.serve([listening]))
    try:
        host, port = listening.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=STOP_S + 1)
        task.cancel()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the command."""
        yield
