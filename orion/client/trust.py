"""Whether whoever answers may be told a secret: looked at on the connection that the secret then goes over.

Any program of this computer can listen where the controller does not. So whoever answers has to
know the owner's token before it is shown anything, and proves it without being told it.
"""

import http.client
import json
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlencode

from orion.client.errors import Refused, Unproven
from schemas import serverproof

OURS = "Orion-Api"  # the header that tells the controller from whoever else has its port
PROVEN_WITHIN = 15.0  # seconds
MAX_ANSWER = 4_096  # bytes


def check(connection: http.client.HTTPConnection, where: str, token: str | None) -> None:
    """Return if a secret may go over this connection, which is open and not encrypted.

    `token`: the owner's, if it is known here; without it nobody can prove anything.

    Raises:
        Unproven: it leads to another computer, or whoever answers does not know that token.
        Refused: it was asked too often.
        OSError, http.client.HTTPException: it broke.
    """
    own, there = connection.sock.getsockname()[0], connection.sock.getpeername()
    if not stays_here(own, there[0]):
        raise Unproven(
            f"{where} is another computer, and the way there is not encrypted: nothing was sent. "
            "Reach the controller by TLS: ORION_URL=https://…, through a proxy in front of it."
        )
    if token is not None:
        _prove(connection, where, token, there[0], there[1])


def stays_here(own: str, there: str) -> bool:
    """Whether both ends are on this computer: one never reaches oneself from an address of somebody else."""
    return own == there or ip_address(there.partition("%")[0]).is_loopback


def _prove(connection: http.client.HTTPConnection, where: str, token: str, address: str, port: int) -> None:
    patience = connection.sock.gettimeout()
    connection.sock.settimeout(PROVEN_WITHIN)
    asked = serverproof.nonce()
    connection.request("GET", f"/api/v1/auth/proof?{urlencode({'nonce': asked})}")
    with connection.getresponse() as answer:
        body = answer.read(MAX_ANSWER)
        if answer.getheader(OURS) is None:
            raise Unproven(
                f"Something else answers at {where}, not Orion's controller; nothing was told to it. "
                "Stop it, or give the controller another port: ORION_HTTP_PORT."
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise Unproven(
                f"Whoever answers at {where} cannot prove that it is this data folder's controller, and nothing "
                "was told to it. If it is a controller of an earlier release, stop it and start it again: orion up"
            )
        if answer.status == HTTPStatus.MISDIRECTED_REQUEST:
            raise Unproven(
                f"The controller at {where} is not known there by that name, and nothing was told to it (HTTP 421). "
                "Use another one, or name this one in its ORION_HTTP_NAMES."
            )
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            said = f"There were too many requests from here to {where}."
            raise Refused(answer.status, "rate_limited", said, retry_after=answer.getheader("Retry-After"))
        if answer.status != HTTPStatus.OK:
            raise Unproven(
                f"The controller at {where} could not prove itself (HTTP {answer.status}), and nothing was told "
                "to it. Try again; its log says what ails it."
            )
    if not serverproof.fits(_shown(body), token, asked, address, port):
        raise Unproven(
            f"Whoever answers at {where} does not know the token of this data folder, and nothing was told to it. "
            "Either another program or another data folder's controller has the port: see ORION_DATA_DIR and "
            "ORION_HTTP_PORT. Or the token's file was replaced while the controller ran: start it again."
        )
    if connection.sock is None:
        raise http.client.RemoteDisconnected("it hung up")
    connection.sock.settimeout(patience)


def _shown(body: bytes) -> str:
    try:
        return str(json.loads(body)["proof"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
