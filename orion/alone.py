"""`orion broker|controller|node`: each program by itself, with its errors said as sentences.

Each function loads its own program and no other.
"""

import asyncio
from collections.abc import Sequence

from orion import looking_on, serving
from orion.config import programs
from orion.config.sources import masked_url
from orion.exits import Exit
from orion.verbs import Failure, Invocation
from schemas.keys import Key

IN_USE = "conflict"  # the code of a failure: a node of this folder runs already


def broker(invocation: Invocation, *, led: bool) -> int:
    """The supervised Mosquitto."""
    from broker.binary import BrokerUnavailable
    from broker.config import ConfigError as Unwritable
    from broker.identities import IdentityError
    from broker.supervisor import supervised

    settings = invocation.settings
    told = programs.for_broker(settings)

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        try:
            async with supervised(told, controller=settings.instance):
                ready({"host": told.host, "port": told.port})
                await stop.wait()
        except (BrokerUnavailable, Unwritable, IdentityError) as error:
            raise Failure(_sentence(error), code="broker_unavailable") from error
        return Exit.DONE

    return serving.serve(invocation, "broker", program, led=led)


def controller(invocation: Invocation, *, led: bool) -> int:
    """The controller; it waits for its broker."""
    from sqlalchemy.exc import SQLAlchemyError

    from broker.identities import IdentityError
    from controller import app
    from controller.errors import OrionError
    from controller.store.store import StoreFailed

    database = masked_url(invocation.settings.database_url)

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        try:
            told = await asyncio.to_thread(programs.for_controller, invocation.settings)
            async with looking_on.spans_of(invocation.settings, "controller", told.instance) as spans:
                await app.run(
                    told, stop, lambda port: ready({"host": told.http_host, "port": port}), spans=spans
                )
        except (StoreFailed, SQLAlchemyError, ImportError) as error:  # the last: a driver that is missing
            reason = str(error).partition("\n")[0]
            raise Failure(
                f"The database {database} cannot be used: {reason}. See ORION_DATABASE_URL."
            ) from error
        except OrionError as error:
            raise Failure(str(error), code=error.code.value) from error
        except IdentityError as error:
            raise Failure(str(error)) from error
        return Exit.DONE

    return serving.serve(invocation, "controller", program, led=led)


def node(invocation: Invocation, *, led: bool) -> int:
    """This computer's node; it waits for its broker."""
    from device_node import app
    from device_node.journal import JournalInUse
    from device_node.safety.policy import PolicyError
    from device_node.settings import NodeSettings
    from orion.config import identity

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        # not earlier: its password may be made while the program loads
        told = await asyncio.to_thread(programs.for_node, invocation.loaded)
        ready({"device_id": told.device_id})

        async def keep_keys(keys: Sequence[Key]) -> None:
            await asyncio.to_thread(identity.believe, told.directory, keys)

        async def renew() -> NodeSettings | None:
            nonlocal told
            found = await asyncio.to_thread(programs.renewed, invocation.loaded, told)
            told = found or told
            return found

        try:
            async with looking_on.spans_of(invocation.settings, "node", told.device_id) as spans:
                return await app.run(told, stop, keep_keys=keep_keys, renew=renew, spans=spans)
        except PolicyError as error:
            raise Failure(str(error), code="policy", exit_code=Exit.USAGE) from error
        except JournalInUse as error:
            raise Failure(str(error), code=IN_USE) from error

    return serving.serve(invocation, "node", program, led=led)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return f"{text[:1].upper()}{text[1:]}"
