"""Where a request comes from: whoever is connected, or whom a proxy of ours names.

Only a proxy that the operator named is believed, and of what it passes on only the last address that
no such proxy has: whatever stands before that, the caller may have written.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def caller(connected: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """The address of who asks, where `connected` is who is at the other end of the line.

    A proxy that writes one of the two headers passes the other one on as it came. So where both
    are there and name two callers, neither is believed.
    """
    if not _is_among(_read(connected), trusted):
        return connected
    said = [
        _last_stranger(hops, trusted)
        for hops in (_forwarded_for(headers), _forwarded(headers))
        if hops is not None
    ]
    return said[0] or connected if said and len(set(said)) == 1 else connected


def _last_stranger(hops: Iterable[str], trusted: Sequence[Network]) -> str | None:
    """From the right, the first that is no proxy of ours; None: what stands there is no address."""
    found = None
    for hop in hops:
        if (address := _read(hop)) is None:
            return found
        found = str(address)
        if not _is_among(address, trusted):
            break
    return found


def _forwarded_for(headers: Headers) -> list[str] | None:
    """What `X-Forwarded-For` names, the last one first; None: it is not there."""
    lines = headers.getlist("x-forwarded-for")
    return [each.strip() for each in reversed(",".join(lines).split(","))] if lines else None


def _forwarded(headers: Headers) -> list[str] | None:
    """The same of `Forwarded` (RFC 7239)."""
    lines = headers.getlist("forwarded")
    if not lines:
        return None
    hops = reversed(",".join(lines).split(","))
    return [_parameter(hop, "for") for hop in hops]


def _parameter(hop: str, wanted: str) -> str:
    for pair in hop.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.strip().lower() == wanted:
            return value.strip().strip('"')
    return ""


def _read(text: str) -> Address | None:
    """An address, with or without a port; None: it is none, or one that is kept secret."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_among(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)
