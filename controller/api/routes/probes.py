"""What an orchestrator asks: does the program live, and can it do its work. At the root, without a token.

They tell of states and nothing else; `GET /api/v1/system/doctor` tells the reasons to an administrator.
"""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from controller.api import shapes
from controller.api.readiness import Probes, Readiness
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import EDGE, refusals

router = APIRouter(tags=["probes"], responses=refusals(*EDGE))

NOT_KEPT = "no-store"


@router.get("/healthz")
async def alive(response: Response) -> Annotated[Json, Shown(shapes.Alive)]:
    """Whether the program lives: it answers. What it works with is not looked at."""
    response.headers["Cache-Control"] = NOT_KEPT
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses=refusals(503)
    | {
        503: {
            **refusals(503)[503],
            "model": shapes.Ready,
            "description": "The broker or the database is not there; or, as an error, there is no room for who asks.",
        }
    },
)
async def ready(request: Request, response: Response) -> Annotated[Json, Shown(shapes.Ready)]:
    """Whether the controller can do its work, and each part that it works with.

    503 where the broker or the database is not there. Without its model it is `degraded` and serves.
    """
    probes: Probes = request.app.state.probes
    found = await probes.look()
    response.headers["Cache-Control"] = NOT_KEPT
    response.status_code = 503 if found.word == "unavailable" else 200
    return _shown(found)


def _shown(found: Readiness) -> Json:
    checks = {
        name: {"state": "ok"} if trouble is None else {"state": "down", "why": trouble}
        for name, trouble in found.troubles.items()
    }
    return {"status": found.word, "checks": checks}
