"""The port to the replicated log, so that one code runs against NATS JetStream and the fakes of the tests."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from common.replication.message import Batch, Stored


class Answer(NamedTuple):
    """What a server answered to a publication: it may be of another stream, or of another message."""

    stream: str
    sequence: int
    duplicate: bool


class ReplicatedLog(Protocol):
    """One stream. Every call blocks, and raises Away where it comes to nothing; NoStream where there is none."""

    name: str

    def publish(self, batch: Batch, expected: int) -> Answer:
        """Add the batch if the stream's last sequence number is `expected`. Away says nothing of whether it was."""

    def message_at(self, sequence: int) -> Stored | None:
        """The message, read by the stream's leader; None where it knows of none. Raises StreamBroken."""

    def last_sequence(self) -> int:
        """The last message's number as the leader knows it, 0 where there is none."""

    def check(self) -> None:
        """Return where the stream and its servers are set up as a copy needs it. Raises NotSetUp."""

    def messages(self, sequence: int, most: int) -> Iterator[Stored]:
        """The messages from that one on, `most` at most, as any server has them. Raises StreamBroken."""
