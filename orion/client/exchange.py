"""One request and its answer. What is not the controller's, or cannot be read, is an error with a sentence."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from orion.client.errors import OVER, ClientError, NoAnswer, NotRunning, Refused
from orion.client.site import Site
from orion.client.trust import OURS
from orion.signin import SignIn

Json = dict[str, Any]

MAX_BODY = 64 * 1024 * 1024  # bytes of one answer


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a path below the API's own, and how long its answer may take in seconds. A body that is a text is a form."""

    method: str
    path: str
    body: Json | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = field(kw_only=True)


@contextmanager
def opened(
    site: Site,
    asked: Question,
    *,
    trusted: Callable[[http.client.HTTPConnection], None],
    signed_in: Callable[[], SignIn | None],
) -> Iterator[http.client.HTTPResponse]:
    """The answer to one request, on a connection of its own.

    `trusted` returns if what is sent may go over this connection. `signed_in`: who asks, where that is to be told.

    Raises:
        ClientError: nobody answers, or somebody else, or the controller refuses.
    """
    connection: http.client.HTTPConnection | None = None
    where = site.shown
    failed: type[ClientError] = NotRunning
    try:
        connection = site.connected(asked.timeout)
        trusted(connection)
        failed = NoAnswer
        payload, kind = _sent(asked.body)
        connection.request(asked.method, f"/api/v1{asked.path}", payload, {**asked.headers, **kind})
        with connection.getresponse() as response:
            if response.getheader(OURS) is None:
                raise ClientError(_somebody_else(site, response.status))
            if response.status >= HTTPStatus.BAD_REQUEST:
                who = signed_in() if response.status == HTTPStatus.UNAUTHORIZED else None
                raise _problem(response, where, who)
            yield response
    except ConnectionRefusedError:
        remedy = "See ORION_URL, and whether it runs there." if site.origin else "Start it with: orion up"
        raise NotRunning(f"The controller is not running at {where}. {remedy}") from None
    except TimeoutError:
        raise failed(f"The controller at {where} did not answer in time.", code="timeout") from None
    except socket.gaierror as error:
        raise NotRunning(f"There is no host {site.host!r} ({error.strerror}); see {site.setting}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise failed(f"The connection to the controller at {where} broke: {error!r}") from error
    finally:
        if connection is not None:
            connection.close()


def _somebody_else(site: Site, status: int) -> str:
    if site.origin:
        return (
            f"What answers at {site.shown} is not Orion's controller (HTTP {status}). "
            "Does the proxy there reach it? See ORION_URL."
        )
    return (
        f"Something else answers at {site.shown}, not Orion's controller. "
        "Stop it, or give the controller another port: ORION_HTTP_PORT."
    )


def _sent(body: Json | str | None) -> tuple[bytes | None, dict[str, str]]:
    """A body as it is sent, and the header that says what it is: a form is a text already."""
    if body is None:
        return None, {}
    if isinstance(body, str):
        return body.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _problem(response: http.client.HTTPResponse, where: str, signed_in: SignIn | None) -> ClientError:
    status = response.status
    try:
        problem = decoded(response.read(MAX_BODY))
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ClientError, KeyError):
        return ClientError(f"The controller at {where} answered with HTTP {status} and no reason.")
    if status == HTTPStatus.UNAUTHORIZED:
        detail = (
            OVER.format(signed_in.username)
            if signed_in is not None
            else f"The controller at {where} does not know our token: it belongs to another data folder. "
            "See ORION_DATA_DIR and ORION_HTTP_PORT."
        )
    return Refused(status, code, detail, str(problem.get("error", "")), response.getheader("Retry-After"))


def decoded(body: bytes) -> Json:
    """An object that came.

    Raises:
        ClientError: it is none.
    """
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClientError("The controller answered with something that cannot be read.")
    return found
