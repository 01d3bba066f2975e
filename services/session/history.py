"""What a session's own records say of it: numbers, generation, connection, what was sent, what may be open.

The one fold serves twice: over the log at the start, with each record's stamp, and over each record as the living
session appends it. So the state after a crash is the state before it, but for what never became durable.
"""

from collections import OrderedDict
from typing import NamedTuple

from common.contracts import Contract
from common.fix.session_types import DisconnectReason
from common.messages import (
    AmendOrder,
    Attempt,
    Command,
    GapFilled,
    Inbound,
    NewOrder,
    OpenGate,
    OperatorAct,
    Outbound,
    Payload,
    QueryOrder,
    SessionChanged,
    SessionState,
    Withdrawn,
    cut,
)
from common.orders.absence import sending_ns
from common.orders.names import FIRST_EPOCH
from common.orders.outcome import is_void
from common.venues.dialect import Dialect
from common.venues.nonces import Nonces
from services.session.emergency import HandOvers
from services.session.open_orders import OpenOrders

KEPT_SENT = 16_384
"""So many of the last sent messages are at hand for a ResendRequest(2); older ones are read from the log."""

RISKY = (NewOrder, AmendOrder)
LOGON = "A"
LOGON_REFUSED = DisconnectReason.LOGON_REFUSED.name.lower()
"""How the record of a connection's end begins where the venue has refused our Logon(A)."""

BY_HAND = "by_hand"
"""The text of the record of numbers that a person set."""


def deadline_of(command: Command | None) -> int | None:
    """The deadline of a command that adds risk, by the journal's clock; None for everything else."""
    return command.deadline_ns if isinstance(command, NewOrder | AmendOrder) else None


class Sent(NamedTuple):
    """A number that was taken: what is sent again for it (`raw`, b"" nothing) and whose command it was.

    `cl_ord_id` is the request's own name, "" for a status request, which bears its order's. `risky`: an order or
    amendment, which is never sent again.
    """

    raw: bytes = b""
    attempt: Attempt | None = None
    cl_ord_id: str = ""
    risky: bool = False


NOTHING = Sent()


class History:
    """One session's folded state. `next_outbound` and `next_inbound` are numbers of `generation`.

    `logon_ns` is the latest SendingTime(52) of a Logon(A) of ours, Unix nanoseconds, 0 for none: the numbers are of
    that time's period, since no connection that resets them by schedule outlives its period. `numbers_began` is the
    generation in which the numbers last began at 1: after numbers set by hand the venue goes on, and may repeat what
    it said before.
    `nonces` are the numbers that our Logons(A) bore at most, see `common.venues.dialect.nonce_ms`.
    `venue_told` is what the log last had of the venue: its window, and the assets of each symbol; `contracts_told` what
    a quantity is of those that are no spot market.
    `venue_log` is the id of the venue's own log of the numbers, as it told it last, "" for none.
    `sent_before` is what was sent in the generation before, whose connection may be heard yet.
    `named` is the highest attempt that the session has sent a name of, the order manager's or its own.
    """

    def __init__(self, session: str, dialect: Dialect) -> None:
        self.session = session
        self.dialect = dialect
        self.generation = 0
        self.numbers_began = 0
        self.connection = 0
        self.next_outbound = 1
        self.next_inbound = 1
        self.state = SessionState.DISCONNECTED
        self.sender_comp_id = ""
        self.halted = ""
        self.logged_out_by_hand = False
        self.latched = False
        self.reset_wanted = False
        self.logon_ns = 0
        self.nonces = Nonces()
        self.venue_told: tuple[int, dict[str, tuple[str, str]]] = (0, {})
        self.contracts_told: dict[str, Contract] = {}
        self.venue_log = ""
        self.orders = OpenOrders()
        self.sent: OrderedDict[int, Sent] = OrderedDict()
        self.first_kept = 1
        self.sent_before: dict[int, Sent] = {}
        self.hand_overs = HandOvers()
        self.named = Attempt(FIRST_EPOCH + 1, 0)

    def fold_payload(self, payload: Payload, stamp_ns: int = 0) -> None:
        """Fold one own record. `stamp_ns` 0 is one that the journal has not stamped yet."""
        if self.hand_overs.see_record(payload):
            pass
        elif isinstance(payload, Outbound):
            self._outbound(payload, stamp_ns)
        elif isinstance(payload, Inbound):
            self._inbound(payload)
        elif isinstance(payload, SessionChanged):
            self._changed(payload)
        elif isinstance(payload, Withdrawn):
            self._withdrawn(payload.msg_seq_num, payload.attempt, is_former=self._is_former(payload))
        elif isinstance(payload, GapFilled):
            for attempt in payload.attempts:
                self.orders.never_arrived(attempt)
        elif isinstance(payload, OperatorAct):
            self._operator(payload)
        self._go_back_to_lost()

    def _is_former(self, record: Outbound | Inbound | Withdrawn) -> bool:
        """Whether it is of a connection that another has taken over from: it takes no number of this generation."""
        return record.generation < self.generation

    def _go_back_to_lost(self) -> None:
        """What a file tells of later numbers does not hide the lost ones before them."""
        if self.hand_overs.lost_from:
            self.next_inbound = min(self.next_inbound, self.hand_overs.lost_from)

    def use_number(self, payload: Payload) -> None:
        """Fold of an own record that is left out only the numbers that it took or told: no other message may bear them.
        What an emergency file holds is counted by its records, whatever becomes of them.
        """
        is_frame = self.hand_overs.see_record(payload)
        if is_frame or (isinstance(payload, Outbound | Inbound) and self._is_former(payload)):
            pass
        elif isinstance(payload, SessionChanged):
            self._take_numbers(payload)
        elif isinstance(payload, Outbound) and not payload.filler:
            self._note_name(payload)
            self.next_outbound = payload.msg_seq_num + 1
            self._keep(payload.msg_seq_num, NOTHING)
        elif isinstance(payload, Inbound) and payload.msg_seq_num:
            self.next_inbound = payload.msg_seq_num + 1
        self._go_back_to_lost()

    def void(self, msg_seq_num: int) -> None:
        """The number's record was stamped after its deadline: the living session learns it from the acknowledgement."""
        self._withdrawn(msg_seq_num, self.sent.get(msg_seq_num, NOTHING).attempt)

    def change(self, state: SessionState, text: str = "") -> SessionChanged:
        """The record of a step of this session, with everything else as it stands."""
        return SessionChanged(
            self.session,
            self.generation,
            self.connection,
            state,
            self.next_outbound,
            self.next_inbound,
            self.sender_comp_id,
            cut(text),
        )

    def attempts(self, begin: int, end: int) -> tuple[Attempt, ...]:
        """The orders among the kept numbers `begin` to `end` that are never sent again."""
        found = (self.sent.get(number, NOTHING) for number in range(max(begin, self.first_kept), end + 1))
        return tuple(sent.attempt for sent in found if sent.risky and sent.attempt is not None)

    def resendable(self, begin: int, end: int) -> list[tuple[int, bytes]]:
        """The kept messages numbered `begin` to `end` that are sent again."""
        numbers = range(max(begin, self.first_kept), end + 1)
        return [(number, raw) for number in numbers if (raw := self.sent.get(number, NOTHING).raw)]

    def _outbound(self, record: Outbound, stamp_ns: int) -> None:
        if self._is_former(record):
            return
        number, command = record.msg_seq_num, record.command
        deadline_ns = deadline_of(command)
        if record.filler:
            self.sent[number] = NOTHING
            return
        self.next_outbound = number + 1
        if record.msg_type == LOGON:
            # The latest of all: what a clock that was set back says later is of a period that is over.
            sent_ns = sending_ns(record.raw, self.logon_ns)
            self.logon_ns, self.nonces = max(self.logon_ns, sent_ns), self.nonces.sent(sent_ns)
        self._note_name(record)
        risky = isinstance(command, RISKY)
        if isinstance(command, RISKY):
            if is_void(deadline_ns, stamp_ns):
                self._keep(number, NOTHING)
                return
            self.orders.order_sent(
                command, record.connection, opens=bool(record.opens), numbers_began=self.numbers_began
            )
        if command is None or isinstance(command, OpenGate):
            self._keep(number, NOTHING)
            return
        again = not risky and self.dialect.resendable(record.msg_type)
        name = "" if isinstance(command, QueryOrder) else command.cl_ord_id
        self._keep(number, Sent(record.raw if again else b"", command.attempt, name, risky))

    def _note_name(self, record: Outbound) -> None:
        command = record.command
        named = record.own if command is None or isinstance(command, OpenGate) else command.attempt
        if isinstance(command, NewOrder):
            named = command.orders[-1].attempt
        if named is not None and (named.epoch, named.counter) > (self.named.epoch, self.named.counter):
            self.named = named

    def _keep(self, number: int, sent: Sent) -> None:
        self.sent[number] = sent
        while len(self.sent) > KEPT_SENT:
            oldest, _ = self.sent.popitem(last=False)
            self.first_kept = oldest + 1

    def _withdrawn(self, number: int, attempt: Attempt | None, *, is_former: bool = False) -> None:
        if number in self.sent and not is_former:
            self.sent[number] = NOTHING
        if attempt is not None:
            self.orders.never_arrived(attempt)

    def _inbound(self, record: Inbound) -> None:
        # One that bears no number that could be read has not taken any.
        if record.msg_seq_num and not self._is_former(record):
            self.next_inbound = record.msg_seq_num + 1
        for event in record.events:
            self.orders.hear_event(event, record.connection, self.venue_told[1])

    def _operator(self, act: OperatorAct) -> None:
        if act.act == "logon":
            self.halted, self.logged_out_by_hand = "", False
        elif act.act == "reset":
            self.reset_wanted = True

    def _begin_generation(self, record: SessionChanged) -> None:
        """Other numbers, and whether they began at 1 or somebody has set them. The first record of an emergency file
        says it, since the one that was first of the generation may stand behind it, or nowhere."""
        self.sent_before = dict(self.sent)
        self.sent.clear()
        self.first_kept = record.next_outbound
        goes_on = record.text == BY_HAND and (record.next_outbound, record.next_inbound) != (1, 1)
        if record.numbers_began:
            self.numbers_began = record.numbers_began
        elif not goes_on or not self.numbers_began:
            self.numbers_began = record.generation

    def _take_numbers(self, record: SessionChanged) -> None:
        if record.generation != self.generation:
            self._begin_generation(record)
        self.generation, self.connection = record.generation, max(self.connection, record.connection)
        self.next_outbound, self.next_inbound = record.next_outbound, record.next_inbound

    def _changed(self, record: SessionChanged) -> None:
        if record.generation != self.generation:
            self.hand_overs.lost_from = 0
        self._take_numbers(record)
        if record.assets:
            self.venue_told = (record.window_ns, record.assets)
            self.contracts_told = record.contracts
        self.venue_log = record.venue_log or self.venue_log
        self.sender_comp_id = record.sender_comp_id or self.sender_comp_id
        if record.state is SessionState.LATCHED:
            self.latched = True
        elif record.state is SessionState.UNLATCHED:
            self.latched = False
        elif record.state is SessionState.HALTED:
            self.halted = record.text
        elif record.state is SessionState.LOGGED_OUT_BY_HAND:
            self.logged_out_by_hand = True
        elif record.state is not SessionState.NUMBERS_SET:
            self.state = record.state
            if record.state is SessionState.LOGGED_ON:
                self.reset_wanted, self.nonces = False, self.nonces.accepted()
            elif record.state is SessionState.DISCONNECTED and record.text.startswith(LOGON_REFUSED):
                self.nonces = self.nonces.refused()
