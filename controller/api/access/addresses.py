"""Whom an address stands for, where addresses are counted."""

from ipaddress import ip_address, ip_network


def subscriber(address: str) -> str:
    """An address as it is counted: of an IPv6 address the network that one subscriber has all of."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address
