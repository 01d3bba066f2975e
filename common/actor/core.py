"""What a core is: inputs are calls with an `Instant`, outputs are effects in a list. It opens nothing and reads no
clock.

A turn of the shell is: read the clocks once, drain every socket up to a bound, hand each message to the core, run the
timer if its deadline passed, call `turn_ended`, then carry out the effects in the order in which the core gave them.
The same inputs give the same effects, so a core runs as well under the simulator's scheduler, and any run can be
repeated from its inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from common.instant import NS_PER_MS, Instant
from common.journal.frames import Record
from common.left_out import Unfoldable

LONG_TURN_NS: Final = 100 * NS_PER_MS
"""A turn that takes longer keeps everything else of its process waiting long enough to be worth a word."""


STOOD_STILL_NS: Final = 2_000 * NS_PER_MS
"""A process that was kept from running for so long (stopped, its host suspended) knows nothing of what happened since:
another host may have taken over.
"""


# ---- effects ----
class Send(msgspec.Struct, frozen=True, gc=False):
    """Send `message` over `link`; on a ROUTER to `peer`. Never blocks: what cannot be queued comes back as
    `undelivered`.
    """

    link: str
    message: msgspec.Struct
    peer: bytes = b""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Send ready bytes over a PUB `link` (a block of frames, a feed message already encoded). May drop."""

    link: str
    data: bytes


class ReadLog(msgspec.Struct, frozen=True, gc=False):
    """Read the journal from `from_lsn`, up to `upto_lsn` at most; answered by one `log_read` call with a bounded
    chunk.
    """

    from_lsn: int
    upto_lsn: int


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Open a TCP (or TLS) connection to the endpoint `target` of the actor's configuration, under the core's own
    number.
    """

    connection: int
    target: str


class HostWorked(msgspec.Struct, frozen=True, gc=False):
    """The host that `target` last connected to has accepted our Logon(A): the next `Connect` begins with it again.

    A host that merely takes TCP connections is passed over in its turn.
    """

    target: str


class Write(msgspec.Struct, frozen=True, gc=False):
    """Give `data`, one whole FIX message, to the connection. From here on it counts as having reached the socket.

    If the socket takes less, the shell keeps the rest and calls `blocked`; the core gives no more until `writable`.
    Once the boot clock is past `by_boot_ns` (0: whenever) it is too late: the shell calls `unwritten` instead.
    """

    connection: int
    data: bytes
    by_boot_ns: int = 0


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close the connection once what was written before has left. No `closed` call follows."""

    connection: int


class Call(msgspec.Struct, frozen=True, gc=False):
    """Run the blocking function of a worker of the actor with `argument`; answered by `call_finished`. Each worker has
    one call at a time; `worker` is "" where there is no other.
    """

    number: int
    argument: msgspec.Struct
    worker: str = ""


class Exit(msgspec.Struct, frozen=True, gc=False):
    """End the process with this exit status, after the effects before it."""

    status: int
    text: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """A line for the actor's log: `event` is a fixed word, `fields` what it concerns (order, session, lsn, ...)."""

    level: str
    event: str
    fields: dict[str, object]


Effect = Send | Publish | ReadLog | Connect | HostWorked | Write | Close | Call | Exit | Note


class Core:
    """The calls that a shell or the simulator makes, each answered with "does not concern me"; cores write what does.

    A core keeps its effects in `effects`; the caller takes and clears them. `name` is the actor's, such as "orders" or
    "session@generic".
    """

    def __init__(self, name: str) -> None:
        """No effect is wanted yet."""
        self.name = name
        self.effects: list[Effect] = []

    def started(self, now: Instant) -> None:
        """The sockets are bound and connected; ask for an epoch, connect, set timers."""

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A decoded message from `link` (`peer` is the ROUTER's identity for it, b"" elsewhere)."""

    def not_read(self, link: str, peer: bytes, data: bytes, why: str, now: Instant) -> None:
        """A message that `link` does not take, and `why`; it was counted. Whoever waits for an answer is told so."""

    def followed(self, block: bytes, now: Instant) -> None:
        """A published block of whole journal frames from the stream."""

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        """The chunk that `ReadLog` asked for; empty when the log holds nothing from there on yet."""

    def undelivered(self, send: Send, now: Instant) -> None:
        """A `Send` found its queue full or its peer gone."""

    def connected(self, connection: int, now: Instant) -> None:
        """A `Connect` succeeded (TLS handshake included)."""

    def accepted(self, connection: int, listener: str, now: Instant) -> None:
        """An acceptor's `listener` has a new connection; numbers of accepted connections are the shell's."""

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """Bytes from a connection."""

    def blocked(self, connection: int, now: Instant) -> None:
        """The connection takes no more for now."""

    def writable(self, connection: int, now: Instant) -> None:
        """It does again."""

    def unwritten(self, connection: int, writes: Sequence[Write], now: Instant) -> None:
        """These were given too late to be written, or behind one that was: none of their bytes have left."""

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """The connection failed, was refused, or was closed by the peer."""

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """The worker's answer to a `Call`."""

    def stood_still(self, now: Instant) -> None:
        """The process was kept from running for STOOD_STILL_NS or longer. It comes before all else of its turn."""

    def timer(self, now: Instant) -> None:
        """`next_deadline_ns` has passed (it may be early or late; look at `now`)."""

    def next_deadline_ns(self) -> int | None:
        """When to call `timer`, in `Instant.boot_ns` terms; None for never."""
        return None

    def turn_ended(self, now: Instant) -> None:
        """Everything at hand was delivered: send what was gathered (a batch of appends, of publications)."""

    def turn_was_long(self, took_ns: int, now: Instant) -> None:
        """The turn that began at `now` took more than LONG_TURN_NS, until everything at hand was done."""

    def stop(self, now: Instant) -> None:
        """SIGTERM: finish what is under way within the time that the configuration gives, then give `Exit`."""
        self.effects.append(Exit(0, "stopped"))

    def status(self, now: Instant) -> dict[str, object]:
        """What `fixring status` shows of this actor, JSON-ready: at least state, epoch and lsn."""
        return {"state": "live"}

    def note(self, level: str, event: str, **fields: object) -> None:
        """Add a line for the log."""
        self.effects.append(Note(level, event, fields))


class FoldingCore(Core):
    """A core that lives around what it has folded of the log, and begins another life where its fold has raised."""

    def __init__(self, name: str, begin: Callable[[Sequence[Unfoldable]], Any]) -> None:
        """`begin` gives a state to live with, without the records at which the fold has raised."""
        super().__init__(name)
        self._begin_state = begin
        self._unfoldable: list[Unfoldable] = []

    def _live_with(self, state: Any, former: Any = None) -> None:
        """Begin a life: all that is soft is made anew around the state. `former` has read the log until now."""

    def _begin_anew(self, error: Unfoldable, former: Any, now: Instant) -> None:
        """The fold raised, and its state is of no use: another life, as after a crash, that leaves the record out."""
        self.note("error", "unfoldable", lsn=error.lsn, why=error.why)
        self._unfoldable.append(error)
        self._live_with(self._begin_state(self._unfoldable), former)
        self.started(now)
