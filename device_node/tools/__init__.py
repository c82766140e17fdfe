"""What this device can do: one table, one file a group.

A tool is listed here or it does not exist.
"""

from device_node.safety.policy import LocalPolicy
from device_node.tools import (
    apps,
    changes,
    files,
    moves,
    network,
    node,
    notify,
    power,
    processes,
    screenshot,
    search,
    services,
    shell,
    system,
    undo,
)
from device_node.tools.tool import BuiltIn, Run
from schemas import builtin
from schemas.devices import Tool

_FUNCTIONS: dict[str, Run] = {
    "create_directory": changes.create_directory,
    "list_directory": files.list_directory,
    "path_info": files.path_info,
    "search_files": search.search_files,
    "read_file": files.read_file,
    "write_file": changes.write_file,
    "copy_path": moves.copy_path,
    "move_path": moves.move_path,
    "delete_path": moves.delete_path,
    "open_app": apps.open_app,
    "close_app": apps.close_app,
    "list_processes": processes.list_processes,
    "stop_process": processes.stop_process,
    "service_status": services.service_status,
    "system_info": system.system_info,
    "disk_usage": system.disk_usage,
    "network_info": network.network_info,
    "notify": notify.notify,
    "take_screenshot": screenshot.take_screenshot,
    "run_command": shell.run_command,
    "restart_device": power.restart_device,
    "shutdown_device": power.shutdown_device,
    "restart_node": node.restart_node,
    "reload_config": node.reload_config,
    "update_node": node.update_node,
    "undo": undo.undo,
}

# A run of these that was cut off may be run again. Named one by one: a hint in a tool's
# description is not enough, somebody has to have looked at what the function does.
_RESUMABLE = frozenset(
    {
        *("list_directory", "path_info", "search_files", "read_file", "list_processes"),
        *("service_status", "system_info", "disk_usage", "network_info"),
    }
)

TOOLS: dict[str, BuiltIn] = {
    name: BuiltIn(builtin.TOOLS[name], function, name in _RESUMABLE) for name, function in _FUNCTIONS.items()
}


def offered(policy: LocalPolicy) -> list[Tool]:
    """The tools for this device's profile: all that its owner lets be used.

    One that this system cannot do is listed too and answers `not_supported`, so that
    the reason reaches the person.
    """
    return [tool.spec for tool in TOOLS.values() if policy.offers(tool.spec.name)]
