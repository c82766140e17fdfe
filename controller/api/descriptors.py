"""How many connections the system lets this program have open at once: each takes a file descriptor."""

import contextlib
import sys

if sys.platform != "win32":
    import resource

OTHERS = 200  # of the store, the broker and the program itself


def room_for(connections: int) -> int:
    """Have the system allow so many connections, as far as it does; how many there may be then."""
    if sys.platform == "win32":  # it has no such limit
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if soft == resource.RLIM_INFINITY else min(connections, max(0, soft - OTHERS))
