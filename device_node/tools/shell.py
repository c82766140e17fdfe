"""Running a command that a person wrote, without a shell; off until the owner allows it.

Quotes group words; pipes, variables and patterns mean nothing. The allowed folders
do not bind a program: who allows this tool allows what the node's user may do.
"""

import shlex

from device_node.safety.errors import ToolError
from device_node.tools import programs
from device_node.tools.tool import Call, Result
from schemas.builtin import TOOLS
from schemas.errors import ErrorCode


def run_command(call: Call) -> Result:
    """Run a program and return how it ended and what it printed."""
    if not call.node.policy.allow_run_command:
        raise ToolError(ErrorCode.PERMISSION_DENIED, "The owner of this device does not allow commands.")
    try:
        argv = shlex.split(call.text("command"))
    except ValueError as error:
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, "The command has a quote without its end.") from error
    if not argv or "\0" in call.text("command"):
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, "The command is empty or holds a NUL.")
    program = programs.find(argv[0])
    if program is None:
        raise ToolError(ErrorCode.NOT_FOUND, f"There is no program {argv[0]}.")
    if call.dry_run:
        would = f"Run {program} in {call.node.home}; what it does is not known beforehand."
        return {"would": would, "program": program, "arguments": argv[1:], "undo": False}
    output = programs.run(
        call, [program, *argv[1:]], within_s=TOOLS["run_command"].timeout_s or 60.0, cwd=call.node.home
    )
    return {
        "exit_code": output.exit_code,
        "stdout": output.stdout,
        "stderr": output.stderr,
        "truncated": output.truncated,
    }
