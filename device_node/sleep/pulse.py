"""When this program did not run: asleep with its machine, stopped, or starved of the processor.

A message that is read after such a time may have lain in the socket since its beginning, and
what the broker said of its remaining life was true then.
"""

from collections.abc import Callable

from broker.session.steady import awake, steady

EVERY = 1.0  # seconds between two beats
LATE = 0.5  # seconds; a beat that is later than that was held up
READ_WITHIN = 2.0  # seconds after it, in which everything that lay there has been read


class Pulse:
    """Beats as long as the program runs, and remembers the last time it did not."""

    def __init__(self, *, steady: Callable[[], float] = steady, awake: Callable[[], float] = awake) -> None:
        self._steady = steady
        self._awake = awake
        self._last: tuple[float, float] | None = None
        self._pause = (0.0, 0.0)

    def beat(self) -> float:
        """Say that the program runs. The seconds that the machine slept since the last beat."""
        now, awake = self._steady(), self._awake()
        slept = 0.0
        if self._last is not None:
            if now - self._last[0] > EVERY + LATE:
                self._pause = (self._last[0], now)
            slept = max(0.0, (now - self._last[0]) - (awake - self._last[1]))
        self._last = (now, awake)
        return slept

    def waited(self, arrived_at: float) -> float:
        """How long a message that was read at this moment of `steady` may have lain unread, at most."""
        begun = 0.0
        if self._last is not None and arrived_at - self._last[0] > EVERY + LATE:
            begun = self._last[0]  # the next beat is due and has not come yet
        elif self._pause[0] < arrived_at <= self._pause[1] + READ_WITHIN:
            begun = self._pause[0]
        return arrived_at - begun if begun else 0.0
