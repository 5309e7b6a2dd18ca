"""Serves an ASGI app on a port until it is told to stop; `ghostd teacher serve` is this and nothing more."""

import uvicorn
from starlette.types import ASGIApp


async def serve(app: ASGIApp, host: str = "127.0.0.1", port: int = 8123) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way. Raises SystemExit when the port is taken."""
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off", access_log=False)
    await uvicorn.Server(config).serve()
