"""The device's addresses and the ports that programs listen on. Nothing is sent anywhere."""

import socket
from typing import Any

import psutil

from device_node.tools.tool import Call, Result

_MOST_PORTS = 200
_FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6", psutil.AF_LINK: "mac"}


def network_info(_call: Call) -> Result:
    """Addresses per interface, and listening ports as far as the system tells them."""
    up = {name: stats.isup for name, stats in psutil.net_if_stats().items()}
    interfaces = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        row: dict[str, Any] = {"name": name, "up": up.get(name, False)}
        for address in addresses:
            if family := _FAMILIES.get(address.family):
                row.setdefault(family, []).append(address.address)
        interfaces.append(row)
    result: Result = {"hostname": socket.gethostname(), "interfaces": interfaces[:_MOST_PORTS]}
    try:
        ports = _listening()
    except (psutil.AccessDenied, PermissionError):
        # macOS tells them to the administrator only
        return result | {"listening": None, "note": "The system does not tell listening ports to this user."}
    return result | {"listening": ports[:_MOST_PORTS], "truncated": len(ports) > _MOST_PORTS}


def _listening() -> list[dict[str, Any]]:
    names: dict[int, str] = {}
    rows = {}
    for connection in psutil.net_connections(kind="inet"):
        datagram = connection.type == socket.SOCK_DGRAM
        if not connection.laddr or not (
            connection.status == psutil.CONN_LISTEN or (datagram and not connection.raddr)
        ):
            continue
        row: dict[str, Any] = {
            "protocol": "udp" if datagram else "tcp",
            "address": connection.laddr.ip,
            "port": connection.laddr.port,
        }
        if connection.pid:
            row["pid"] = connection.pid
            if name := names.setdefault(connection.pid, _name(connection.pid)):
                row["program"] = name
        rows[row["protocol"], row["port"], row["address"]] = row
    return [rows[key] for key in sorted(rows)]


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""
