"""That this is the controller of a data folder: asked by its owner's programs before they say a secret."""

from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field

from controller.api import routing
from controller.api.deps import Controller
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import HASH, example
from controller.errors import Conflict
from schemas import serverproof

router = routing.router("auth", below="/auth")

NOWHERE = ("", 0)  # an application that is called without a socket between


class Proof(BaseModel):
    """The answer to a nonce."""

    model_config = example({"proof": HASH})

    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@router.get("/proof", responses=refusals(409))
async def proof(
    controller: Controller,
    request: Request,
    nonce: Annotated[
        str,
        Query(pattern=serverproof.NONCE, description="32 to 64 letters, digits, - or _, chosen at random."),
    ],
) -> Proof:
    """Prove that this controller knows the token of its data folder; needs no token and tells nothing else.

    `proof` is HMAC-SHA256 in hex, by the token, of four lines with a line feed between: `orion controller proof 1`,
    the nonce, and the address and the port at which the request arrived. So what was passed on by somebody who
    listens elsewhere is no proof there.
    """
    if len(controller.token) < serverproof.LEAST_TOKEN:  # somebody wrote it by hand
        raise Conflict(f"The token has less than {serverproof.LEAST_TOKEN} characters: it could be guessed.")
    address, port = request.scope.get("server") or NOWHERE
    return Proof(proof=serverproof.made(controller.token, nonce, address, port or 0))
