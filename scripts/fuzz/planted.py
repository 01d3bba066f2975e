"""The targets are checked: faults planted in the real code, each found by its target within a number of rounds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, get_args

import msgspec

from common import left_out
from common.journal.frames import Record
from common.messages import Door, ExecutionReport, Inbound, JournalRequest, Kind, Payload
from common.orders import index_file, leg
from common.orders.fold import Fold
from common.strategy import entry
from scripts.simulation import actors
from scripts.simulation.planted import Swap, planted_swaps


class Fault(NamedTuple):
    """One planted fault: what it is, which target finds it, and within how many rounds from seed 0 on."""

    sentence: str
    target: str
    swaps: tuple[Swap, ...]
    within: int = 10


@contextmanager
def plant_fault(name: str) -> Iterator[None]:
    """The fault called `name` is in the code while this lasts. Raises KeyError."""
    with planted_swaps(FAULTS[name].swaps):
        yield


def _any_number() -> dict[int, Any]:
    return {int(kind): msgspec.msgpack.Decoder(its).decode for its, kind in zip(get_args(Payload), Kind, strict=True)}


class _OpenDoor(Door):
    """Takes whatever has the fields of one of its messages, of any size and any value."""

    def decode(self, data: bytes) -> Any:
        """The message, as if its Struct had no bounds. Raises msgspec.DecodeError, TypeError."""
        kinds = {kind.__struct_config__.tag: kind for kind in get_args(self.accepts)}
        tag, *values = msgspec.msgpack.decode(data)
        if not isinstance(tag, str) or tag not in kinds:
            raise msgspec.ValidationError(f"no message is called {tag!r}")
        return kinds[tag](*values)


def _taken_as_told(
    report: ExecutionReport, held: leg.BelievedTerms, asked: Sequence[leg.AskedTerms] = ()
) -> leg.BelievedTerms:
    return held._replace(order_qty=report.order_qty or held.order_qty, price=report.price or held.price)


def _by_number(original: Callable[[Fold, Record, Inbound], None]) -> Callable[[Fold, Record, Inbound], None]:
    """Takes what bears no higher MsgSeqNum(34) than was heard for a repeat."""

    def once(fold: Fold, record: Record, inbound: Inbound) -> None:
        highest, life = vars(fold).setdefault("heard", {}), (inbound.session, inbound.generation)
        if inbound.msg_seq_num > highest.get(life, 0):
            highest[life] = inbound.msg_seq_num
            original(fold, record, inbound)

    return once


FAULTS: dict[str, Fault] = {
    "terms-as-told": Fault(
        "Whatever a report tells as OrderQty(38) and Price(44) is what the order has.", "reports",
        ((leg, "believed_terms", lambda original: _taken_as_told),), 20,
    ),
    "repeat-by-number": Fault(
        "A report is taken for a repeat by its MsgSeqNum(34) alone.", "folds",
        ((Fold, "_inbound", _by_number),), 40,
    ),
    "undecodable-ends-orders": Fault(
        "A record whose payload does not decode ends who reads it.", "folds",
        ((left_out, "UNDECODABLE", lambda original: ()),),
    ),
    "unsound-is-counted": Fault(
        "Whatever number a record holds is counted with.", "folds",
        ((left_out, "DECODERS", lambda original: _any_number()),),
    ),
    "index-believes-all": Fault(
        "The index of orders gives out whatever stands in its file.", "index",
        ((index_file, "_seal", lambda original: lambda *columns: 0),),
    ),
    "journal-takes-all": Fault(
        "The journal's link has no bounds: a token of -1, a writer without a name.", "links",
        ((actors, "_journal_request", lambda original: _OpenDoor(JournalRequest)),), 40,
    ),
    "numbers-unbounded": Fault(
        "The SDK counts its commands on beyond every number that a message holds.", "client",
        (
            (entry, "HIGHEST_NUMBER", lambda original: 1 << 70),
            (entry, "check_bounds", lambda original: lambda request: None),
        ),
    ),
}  # fmt: skip
