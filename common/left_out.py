"""The records that have no effect in a fold, and why: whole or not at all, and never in silence.

A record whose payload cannot be read, or at which a fold raised, is left out by that fold. What adds risk is refused
from then on, for what it would have said is not known, until a person accepts it: `fixring journal skip LSN` has the
journal write the record's number down beside the log, where every reader looks first, and journals the word.
"""

from collections.abc import Collection, Sequence
from typing import cast

import msgspec

from common.journal.errors import JournalError
from common.journal.frames import Record
from common.messages import UNDECODABLE, OperatorAct, Payload, cut
from common.soundness import DECODERS

JOURNAL = "journal"
SKIP = "skip"


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record that was left out, as a snapshot has it."""

    lsn: int
    why: str
    accepted: bool


class Unfoldable(JournalError):
    """A fold raised at the record `lsn`, and may have taken half of it: the state is of no use any more.

    It is to be folded anew without the record.
    """

    def __init__(self, lsn: int, error: Exception) -> None:
        self.lsn = lsn
        self.why = cut(f"{type(error).__name__}: {error}")
        super().__init__(
            f"record {lsn} of the log cannot be folded: {self.why}. Look at it, then `fixring journal skip {lsn}`"
        )


class LeftOut:
    """See the module."""

    def __init__(self, skipped: Collection[int] = (), unfoldable: Sequence[Unfoldable] = ()) -> None:
        """`skipped` are the records that a person has accepted, `unfoldable` those at which this fold has raised."""
        self._skipped = frozenset(skipped)
        self._whys = dict.fromkeys(self._skipped, "skipped") | {error.lsn: error.why for error in unfoldable}
        self._rows: dict[int, Row] = {}
        self.undecodable = 0
        """How many records could not be read since this began."""

        self.decoded_lsn = 0
        self.decoded: Payload | None = None
        """What the record `decoded_lsn` told, the last that was read: for who folds the same records behind this."""

    def __bool__(self) -> bool:
        """Whether any record is known that is not to be tried."""
        return bool(self._whys)

    def __contains__(self, lsn: int) -> bool:
        """Whether the record is not to be tried; that it has no effect is noted."""
        why = self._whys.get(lsn)
        if why is not None:
            self.add(lsn, why)
        return why is not None

    def read(self, record: Record) -> Payload | None:
        """The payload of a record; None where it is left out, or cannot be read and is left out from now on."""
        if self._whys and record.lsn in self:
            return None
        return self.decode(record)

    def decode(self, record: Record) -> Payload | None:
        """The payload of a record, left out or not; None for one that cannot be read, which has no effect from now
        on."""
        try:
            payload = cast(Payload, DECODERS[record.kind](record.payload))
        except UNDECODABLE as error:
            self.undecodable += record.lsn not in self._rows
            self.add(record.lsn, str(error))
            return None
        self.decoded_lsn, self.decoded = record.lsn, payload
        return payload

    def add(self, lsn: int, why: str) -> None:
        """The record has no effect."""
        if lsn not in self._rows:
            self._rows[lsn] = Row(lsn, cut(why), lsn in self._skipped)

    def hear(self, act: OperatorAct) -> None:
        """A person's word that was journaled; of another kind it changes nothing."""
        if act.actor == JOURNAL and act.act == SKIP and act.text.isdecimal():
            self.accept(int(act.text))

    def accept(self, lsn: int) -> None:
        """A person takes it that the record has no effect."""
        row = self._rows.get(lsn)
        if row is not None:
            self._rows[lsn] = Row(lsn, row.why, True)

    @property
    def unaccepted(self) -> dict[int, str]:
        """What was left out and nobody has accepted, with why."""
        return {row.lsn: row.why for row in self._rows.values() if not row.accepted}

    @property
    def halts(self) -> bool:
        """Whether what adds risk is to be refused."""
        return bool(self._rows) and any(not row.accepted for row in self._rows.values())

    @property
    def text(self) -> str:
        """Why that is, for a person; "" where it is not."""
        for lsn, why in self.unaccepted.items():
            return f"record {lsn} of the log has no effect ({why}): look at it, then fixring journal skip {lsn}"
        return ""

    def dump(self) -> list[Row]:
        """Everything, for a snapshot."""
        return list(self._rows.values())

    def load(self, rows: list[Row], lsn: int) -> None:
        """The contrary of `dump`, of a state that stands at record `lsn`.

        Raises ValueError where that state has folded a record that a person has accepted to be left out.
        """
        self._rows = {row.lsn: row for row in rows}
        for skipped in self._skipped:
            if skipped <= lsn and skipped not in self._rows:
                raise ValueError(f"record {skipped} is skipped, and this state has folded it")
            self.accept(skipped)
