"""The machine's sleep: said before it begins where the system tells, noticed after it in any case.

Linux with systemd tells (`logind`). On other systems, and without the extra `suspend`, the
controller learns of a sleep from the broker, when the line has been silent for too long.
"""

from device_node.sleep.pulse import Pulse
from device_node.sleep.watcher import Watcher

__all__ = ["Pulse", "Watcher"]
