"""What can be wrong with a copy off the machine. Each says where, and what to do."""


class ReplicationError(Exception):
    """The base of them all."""


class Away(ReplicationError):
    """The stream cannot be asked now, or has not said yes: nothing is known, and it is tried again."""


class NoStream(Away):
    """The servers answer and have no such stream."""

    def __init__(self, name: str) -> None:
        """`name` is the stream's."""
        super().__init__(f"there is no stream {name}: fixring replication init makes it")


class Fenced(ReplicationError):
    """Another host has written the stream: this one must not go on."""

    def __init__(self, sequence: int, term: int, why: str) -> None:
        """`term` is that of the message `sequence`, which is not ours."""
        super().__init__(f"message {sequence} of the stream, of term {term}: {why}")
        self.sequence = sequence
        self.term = term


class Forked(ReplicationError):
    """The stream and the log do not hold the same records."""


class StreamBroken(ReplicationError):
    """The stream has a hole, or holds what does not follow from what stands before it."""

    def __init__(self, sequence: int, why: str) -> None:
        """`sequence` is that of the first message that is not as it should be."""
        super().__init__(f"message {sequence} of the stream: {why}")
        self.sequence = sequence
        self.why = why


class NotSetUp(Away):
    """The stream, or a server, is set up in another way than the copy needs."""
