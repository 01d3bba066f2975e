"""What the venue says: given its meaning by the dialect, journaled, and only then acted on.

A message that cannot be read or believed is journaled raw, counted and noted; it is never refused, for it may name a
fill. The order that it names is told, so that the venue is asked about it.
"""

from collections.abc import Mapping

import msgspec

from common.actor.core import Core
from common.fix.incoming import number_of
from common.fix.secret_fields import blanked
from common.fix.session_types import Inbound as FixInbound
from common.fix.session_types import Unnumbered
from common.fix.wire import split
from common.instant import Instant
from common.messages import (
    MAX_RECORD_BYTES,
    Announced,
    ExecutionReport,
    Inbound,
    OneEvent,
    RequestRejected,
    Several,
    Unreadable,
    VenueEvent,
    encode,
    events_of,
)
from common.orders.names import attempt_of
from common.venues.dialect import BadReport, Dialect
from services.session.history import LOGON, Sent
from services.session.outbox import Outbox
from services.session.records import Records

Fields = Mapping[bytes, bytes]
MAX_SEVERAL_BYTES = MAX_RECORD_BYTES - (4 << 10)
"""The bytes of a message that says several things and all that it says are below what a record has."""

_REJECTIONS = frozenset(("3", "j"))


class Inbox:
    """The inbound side of the session. `unreadable` counts messages, `unread` those with a field that was passed over.
    """

    def __init__(self, core: Core, dialect: Dialect, records: Records, former: Outbox | None = None) -> None:
        """`core` takes the notes. `former` sends on the connection that is heard, where another has taken over."""
        self._former = former
        self._core = core
        self._dialect = dialect
        self._records = records
        self.unreadable = 0
        self.unread = 0

    def journal_message(self, message: FixInbound, now: Instant) -> tuple[OneEvent, ...]:
        """Journal one message with its meaning, which is returned: nothing where it has none for orders."""
        event: VenueEvent | None
        if message.wrong:
            event = self._unreadable(message.msg_type, message.raw, message.fields or {}, message.wrong)
        else:
            event = self._event(message)
        self._journal(message, event, now)
        return events_of(event)

    def journal_unnumbered(self, message: Unnumbered, now: Instant) -> None:
        """Journal a message that took no number."""
        event = self._unreadable(message.msg_type, message.raw, message.fields, message.wrong)
        self._journal(FixInbound(0, message.msg_type, message.raw, True, False, False), event, now)

    def _journal(self, message: FixInbound, event: VenueEvent | None, now: Instant) -> None:
        history = self._records.history
        is_logon = message.msg_type == LOGON and message.fields is not None and not message.wrong
        raw = blanked(message.raw, self._dialect.profile.key_tags) if is_logon else message.raw
        record = Inbound(
            history.session,
            history.generation if self._former is None else self._former.generation,
            history.connection if self._former is None else self._former.connection,
            message.msg_seq_num,
            message.msg_type,
            raw,
            event,
            message.poss_dup,
        )
        self._records.append(record, now)

    def _event(self, message: FixInbound) -> VenueEvent | None:
        try:
            event = self._dialect.decode(message.msg_type, message.raw, message.fields)
            if not isinstance(event, Several):
                return None if event is None else self._ours(event)
            several = Several(tuple([self._ours(each) for each in event.events]))
            if len(message.raw) + len(encode(several)) > MAX_SEVERAL_BYTES:
                raise BadReport(f"{len(several.events)} things in one message: more than a record has room for")
        except BadReport as error:
            return self._unreadable(message.msg_type, message.raw, message.fields or split(message.raw), str(error))
        return several

    def _ours(self, event: OneEvent) -> OneEvent:
        """The event with what only this session knows of it."""
        if isinstance(event, ExecutionReport) and event.unread:
            self.unread += 1
            self._core.note("warning", "unread", exec_id=event.exec_id, fields=list(event.unread))
        if isinstance(event, Announced):
            self._core.note("warning", "news", headline=event.headline)
        elif isinstance(event, RequestRejected):
            return self._of_attempt(event)
        elif isinstance(event, ExecutionReport) and self._dialect.profile.trade_keys_are_exec_ids:
            return self._of_this_life(event)
        return event

    def _unreadable(self, msg_type: str, raw: bytes, fields: Fields, why: str) -> Unreadable | None:
        """Count and note the message; which order it names, if it names one. A rejection names it by our number."""
        self.unreadable += 1
        self._core.note("error", "unreadable", msg_type=msg_type, why=why, raw=raw.decode("latin-1"))
        named = self._dialect.unread(fields, why)
        sent = self._sent(number_of(fields.get(b"45")) or 0)
        if msg_type not in _REJECTIONS or sent is None or sent.attempt is None:
            return named
        return Unreadable(sent.cl_ord_id, "", "", "", why, sent.attempt)

    def _of_attempt(self, event: RequestRejected) -> RequestRejected:
        """Whose message was rejected is known by its number, and so is its name: what the venue says it is may be the
        name of an order that was only asked about. Where the venue tells no number, the name is all there is.
        """
        if not event.ref_msg_seq_num:
            named = attempt_of(event.cl_ord_id, self._dialect.profile.names)
            return event if named is None else msgspec.structs.replace(event, attempt=named)
        sent = self._sent(event.ref_msg_seq_num)
        if sent is None or sent.attempt is None:
            return event
        return msgspec.structs.replace(event, attempt=sent.attempt, cl_ord_id=sent.cl_ord_id)

    def _sent(self, number: int) -> Sent | None:
        """What was sent under that number on the connection that is heard."""
        history = self._records.history
        return (history.sent if self._former is None else history.sent_before).get(number)

    def _of_this_life(self, report: ExecutionReport) -> ExecutionReport:
        """An ExecID(17) is unique only until the numbers begin anew: the trade's identity says since when they run."""
        if not report.trade_key and not report.reference_trade_key:
            return report
        life = self._records.history.numbers_began
        key, reference = (f"{life}/{k}" if k else "" for k in (report.trade_key, report.reference_trade_key))
        return msgspec.structs.replace(report, trade_key=key, reference_trade_key=reference)
