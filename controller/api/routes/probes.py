"""What an orchestrator asks: does the program live, and can it do its work. At the root, without a token.

They tell of states and nothing else; `GET /api/v1/system/doctor` tells the reasons to an administrator.
"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from controller.api.readiness import Probes, Readiness

router = APIRouter(tags=["probes"])

NOT_KEPT = {"Cache-Control": "no-store"}


@router.get("/healthz")
async def alive() -> JSONResponse:
    """Whether the program lives: it answers. What it works with is not looked at."""
    return JSONResponse({"status": "alive"}, headers=NOT_KEPT)


@router.get("/readyz", responses={503: {"description": "The broker or the database is not there."}})
async def ready(request: Request) -> JSONResponse:
    """Whether the controller can do its work, and each part that it works with.

    503 where the broker or the database is not there. Without its model it is `degraded` and serves.
    """
    probes: Probes = request.app.state.probes
    found = await probes.look()
    return JSONResponse(_shown(found), 503 if found.word == "unavailable" else 200, headers=NOT_KEPT)


def _shown(found: Readiness) -> dict[str, Any]:
    checks = {
        name: {"state": "ok"} if trouble is None else {"state": "down", "why": trouble}
        for name, trouble in found.troubles.items()
    }
    return {"status": found.word, "checks": checks}
