"""One device that sends more than can be taken does not take everybody's turn.

Only while the controller is behind, and only from a device with more than its share,
events are put off: neither stored nor acknowledged, so that the device keeps them and
sends them again. Everything else it says is heard.
"""

from collections import Counter
from collections.abc import Callable
from time import monotonic

from controller.mqtt.complaints import Complaints

BEHIND = 5.0  # seconds in which every batch was full: more arrives than is taken
PAUSE = 1.0  # seconds between two batches in which nothing can have waited
SHARE = 0.25  # of all messages of that time; a device with more is put off


class Floods:
    """What each device sent of late, and whose events have to wait."""

    def __init__(self, complaints: Complaints, clock: Callable[[], float] = monotonic) -> None:
        self.put_off: Counter[str] = Counter()  # events, by device
        self._complaints = complaints
        self._clock = clock
        self._since = self._last = clock()
        self._sent: Counter[str] = Counter()
        self._flooding: frozenset[str] = frozenset()

    def count(self, device_id: str) -> None:
        """Note a message of this device."""
        self._sent[device_id] += 1

    def puts_off(self, device_id: str) -> bool:
        """Whether an event of this device has to wait; it is counted if so."""
        if device_id not in self._flooding:
            return False
        self.put_off[device_id] += 1
        return True

    def taken(self, *, full: bool) -> None:
        """Note that a batch was taken; a full one says that more waits behind it."""
        before, self._last = self._last, self._clock()
        if not full or self._last - before > PAUSE:
            self._flooding = frozenset()
        elif self._last - self._since >= BEHIND:
            self._judge()
        else:
            return
        self._since = self._last
        self._sent.clear()

    def _judge(self) -> None:
        total = self._sent.total()
        crowding = {each for each, count in self._sent.items() if count > SHARE * total}
        self._flooding = frozenset(crowding) if len(self._sent) > 1 else frozenset()  # alone, it harms nobody
        for device_id in self._flooding:
            said = f"{self._sent[device_id]} of {total} messages in {BEHIND:.0f} s are its own"
            self._complaints.add(device_id, f"{said}; its events are put off")
