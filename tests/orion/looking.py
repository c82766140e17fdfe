"""`orion` with a person in front of it, who sees what it draws and answers what it asks."""

import contextlib
import os
import pty
import subprocess
import threading

from tests.orion.installation import ORION, READY_WITHIN, Installation


def on_a_terminal(installation: Installation, *words: str, prompt: bytes, reply: bytes) -> tuple[int, str]:
    """Run a command with a person in front of it, who answers one prompt."""
    leader, follower = pty.openpty()
    environment = installation.environment | {"TERM": "xterm", "NO_COLOR": "1"}
    asked = subprocess.Popen(
        [*ORION, *words], env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen, answered = b"", False
    with contextlib.suppress(OSError):  # how a terminal's end reads on Linux
        while chunk := os.read(leader, 4096):
            seen += chunk
            if not answered and seen.endswith(prompt):
                os.write(leader, reply)
                answered = True
    os.close(leader)
    return asked.wait(READY_WITHIN), seen.decode().replace("\r\n", "")


class Looking:
    """`orion` with a person in front of it, who sees all it draws."""

    def __init__(self, installation: Installation, *words: str) -> None:
        self._leader, follower = pty.openpty()
        self.seen = ""
        environment = installation.environment | {"TERM": "xterm", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            [*ORION, *words], env=environment, stdin=follower, stdout=follower, stderr=follower
        )
        os.close(follower)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._leader, 4096)
            except OSError:  # how a terminal's end reads on Linux
                return
            self.seen += chunk.decode(errors="replace")

    def end(self) -> int:
        """Wait for its exit code."""
        code = self.process.wait(READY_WITHIN)
        self._reading.join(READY_WITHIN)
        os.close(self._leader)
        return code
