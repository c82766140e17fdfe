"""The baseline: a FastAPI application with one route, which answers a JSON that it was given, and no more.

Its first line of stdin is that JSON as text, the path of a file that holds it; the port is said on stdout.
"""

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from bench.stand import free_port


def build(answer: Any) -> FastAPI:
    """An application that answers this at `/bare`."""
    app = FastAPI()

    @app.get("/bare")
    async def bare() -> Any:
        return answer

    return app


def main() -> None:
    """Serve until stdin ends or the process is told to stop."""
    answer = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    port = free_port()
    config = uvicorn.Config(
        build(answer), host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off"
    )
    print(port, flush=True)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
