"""What can go wrong with a session, as one tree.

* SessionError
  - ConnectFailed
  - ConnectionLost
  - SubscribeRefused
  - PublishRefused
  - PayloadTooLarge
  - Congested
"""

_TAKEN_OVER = 0x8E
_NOT_LET_IN = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})  # client id, password, rights, banned, method


class SessionError(Exception):
    """Something that this connection could not do."""


class ConnectFailed(SessionError):
    """No session came to be. `code` is the broker's CONNACK reason, None when it never answered."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(f"could not connect: {reason}")
        self.reason = reason
        self.code = code

    @property
    def not_let_in(self) -> bool:
        """Whether the credentials are at fault: trying again soon will not help."""
        return self.code in _NOT_LET_IN


class ConnectionLost(SessionError):
    """The connection is gone; what was not acknowledged on it will come again."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(f"connection lost: {reason}")
        self.reason = reason
        self.code = code

    @property
    def taken_over(self) -> bool:
        """Whether another program connected with the same client id, which ended this session."""
        return self.code == _TAKEN_OVER


class SubscribeRefused(SessionError):
    """The broker did not grant a filter."""

    def __init__(self, topic_filter: str, code: int) -> None:
        super().__init__(f"the broker refused the filter {topic_filter!r} (0x{code:02x})")
        self.topic_filter = topic_filter
        self.code = code


class PublishRefused(SessionError):
    """The broker answered a PUBLISH with a reason of 0x80 or more: it did not take the message."""

    def __init__(self, topic: str, code: int) -> None:
        super().__init__(f"the broker refused a message to {topic!r} (0x{code:02x})")
        self.topic = topic
        self.code = code


class PayloadTooLarge(SessionError):
    """The packet is larger than the broker takes, so it was never sent.

    Sending it would end the connection, and sending it again would end the next one too.
    """

    def __init__(self, topic: str, size: int, limit: int) -> None:
        super().__init__(f"a message to {topic!r} takes {size} bytes, the broker takes {limit}")
        self.topic = topic
        self.size = size
        self.limit = limit


class Congested(SessionError):
    """More is waiting to be sent than this session holds; nothing of this message was sent."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} messages wait to be sent already")
        self.waiting = waiting
