"""The node itself: started again, its settings read again, updated. The program around decides how."""

from device_node.safety.errors import ToolError
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode


def restart_node(call: Call) -> Result:
    """Restart the program; the reply leaves first."""
    if call.dry_run:
        return {"would": "Restart the node; the device itself stays on.", "undo": False}
    call.node.control.restart()
    return {"restarting": True}


def reload_config(call: Call) -> Result:
    """Read settings and policy again."""
    if call.dry_run:
        return {"would": "Read settings and policy again.", "undo": False}
    return call.node.control.reload()


def update_node(call: Call) -> Result:
    """Update the program, where it was installed in a way that can update itself."""
    if not call.node.control.can_update:
        raise ToolError(
            ErrorCode.NOT_SUPPORTED, "This node was installed in a way that cannot update itself."
        )
    if call.dry_run:
        return {"would": "Update the node to its newest version.", "undo": False}
    return call.node.control.update()
