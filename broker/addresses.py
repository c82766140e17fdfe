"""Where a listener is found from here, worked out from the host that it was given."""

import ipaddress


def is_everywhere(host: str) -> bool:
    """Whether a listener there has every address of this computer."""
    address = _address(host)
    return not host or (address is not None and address.is_unspecified)


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches a listener there."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def reachable(host: str) -> str:
    """The address at which a listener on `host` is found from here."""
    if not is_everywhere(host):
        return host
    return "::1" if ":" in host else "127.0.0.1"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
