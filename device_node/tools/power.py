"""Restarting and shutting down the device, after a while in which it can be cancelled.

One request waits at a time. It lives with the program: a node that restarts meanwhile
forgets it, which errs on the side of a device that stays on.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

from device_node.safety.errors import ToolError
from device_node.tools import programs, records
from device_node.tools.tool import Call, NodeContext, Result
from schemas.errors import ErrorCode
from schemas.wire import format_instant

logger = logging.getLogger(__name__)

_LEAST_DELAY = 3.0  # seconds; the reply has to leave first
_WITHIN = 30.0  # seconds


def restart_device(call: Call) -> Result:
    """Restart the device after the delay."""
    return _plan(call, _argv(restart=True), "restart")


def shutdown_device(call: Call) -> Result:
    """Shut the device down after the delay."""
    return _plan(call, _argv(restart=False), "shut down")


def cancel(node: NodeContext, command_id: str) -> None:
    """Cancel what that command planned.

    Raises:
        ToolError: `conflict` when it no longer waits.
    """
    with node.power.lock:
        _waiting(node, command_id).cancel()
        node.power.timer = None
    logger.info("Command %s no longer waits: the device stays on", command_id)


def refuse_past(node: NodeContext, command_id: str) -> None:
    """Refuse what `cancel` would refuse."""
    with node.power.lock:
        _waiting(node, command_id)


def _waiting(node: NodeContext, command_id: str) -> threading.Timer:
    timer = node.power.timer
    if timer is None or node.power.command_id != command_id:
        raise ToolError(ErrorCode.CONFLICT, "Nothing of that command waits any more.")
    return timer


def _plan(call: Call, argv: Sequence[str], what: str) -> Result:
    delay = max(float(call.whole("delay_s", 60)), _LEAST_DELAY)
    at = call.node.now() + timedelta(seconds=delay)
    planned = {"at": format_instant(at), "delay_s": delay}
    power = call.node.power
    with power.lock:
        if power.timer is not None:
            raise ToolError(ErrorCode.CONFLICT, "A restart or shutdown waits already; undo that one first.")
        if call.dry_run:
            would = f"The device would {what} at {planned['at']}, {delay:g} s from now."
            return {"would": would, **planned, "undo": True}
        power.timer = threading.Timer(delay, _carry_out, (call, argv))
        power.timer.daemon = True
        power.command_id, power.at = call.command_id, at
        power.timer.start()
    logger.warning("The device will %s at %s, by command %s", what, planned["at"], call.command_id)
    return {**planned, "undo": records.save(call, [{"kind": "cancel_power"}])}


def _carry_out(call: Call, argv: Sequence[str]) -> None:
    with call.node.power.lock:
        if call.node.power.timer is None:
            return
        call.node.power.timer = None
    # the call that planned this has ended long ago, and cancelling it means nothing now
    own = Call(call.command_id, call.tool, {}, call.node)
    try:
        output = programs.run(own, argv, within_s=_WITHIN)
    except ToolError as error:
        logger.error("Command %s failed: %s", call.command_id, error.message)  # noqa: TRY400 - foreseen
        return
    if output.exit_code != 0:
        logger.error("Command %s failed with code %d", call.command_id, output.exit_code)


def _argv(*, restart: bool) -> list[str]:
    if sys.platform == "win32":
        return [programs.need("shutdown"), "/r" if restart else "/s", "/t", "0"]
    if sys.platform == "linux" and (systemctl := programs.find("systemctl")):
        return [systemctl, "--no-wall", "reboot" if restart else "poweroff"]
    return [programs.need("shutdown"), "-r" if restart else "-h", "now"]
