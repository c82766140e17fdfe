"""How far a long piece of work has come: a fraction of what is known to be done, or nothing said."""

from device_node.tools.tool import Call

ENTRY = 4_096  # bytes; what making or removing one file or folder counts beside its content
NEARLY = 0.99  # a tree that grew meanwhile is not done before it is done


class Progress:
    """Counts work that is done, in bytes or what costs as much, and tells the caller."""

    def __init__(self, call: Call, work: int) -> None:
        self._call = call
        self._work = work
        self._done = 0

    def entry(self) -> None:
        """One more file or folder is there, or gone."""
        self.add(ENTRY)

    def add(self, work: int) -> None:
        """So much more is done. Without a known whole nothing is said."""
        self._done += work
        if self._work:
            self._call.progress(min(self._done / self._work, NEARLY))
