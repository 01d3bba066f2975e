"""A view of the log of its own, beside the cores': which cancels and amendments the venue has still to answer.

Of venues that amend in place and answer each request by its name, and only while the connection that carried the
request lives.
"""

from collections.abc import Collection
from typing import Final

from common.journal.frames import Record
from common.messages import (
    AmendOrder,
    Attempt,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    GapFilled,
    Inbound,
    OneEvent,
    Outbound,
    RequestRejected,
    SessionChanged,
    Unreadable,
    Withdrawn,
)

Name = tuple[str, int]

ANSWERS: Final = {"F": "48", "G": "58"}
"""By MsgType(35) of the request, ExecType(150) of what answers it."""

ENDED: Final = frozenset("248C")
"""OrdStatus(39) of an order that nothing can be asked of any more."""

FOREVER: Final = 1 << 62


class _Request:
    """One request: what it is about, and in which records it waits."""

    def __init__(self, session: str, name: Name, msg_type: str, attempt: Attempt, lsn: int) -> None:
        self.session = session
        self.name = name
        self.msg_type = msg_type
        self.attempt = attempt
        self.sent_lsn = lsn
        self.ended_lsn = FOREVER


class RequestsView:
    """See the module. Fed with every record of the log, in order."""

    def __init__(self, venues: Collection[str]) -> None:
        """Nothing was asked; `venues` are those that it follows."""
        self._venues = venues
        self._by_id: dict[tuple[str, str], _Request] = {}
        self._by_name: dict[Name, list[_Request]] = {}
        self._waiting: dict[tuple[str, str], _Request] = {}

    def waits(self, name: Name, lsn: int) -> bool:
        """Whether, as of a record, the order has a request that was sent and not answered."""
        return any(each.sent_lsn <= lsn < each.ended_lsn for each in self._by_name.get(name, ()))

    def fold(self, record: Record, payload: object) -> None:
        """One record of the log."""
        match payload:
            case Outbound(command=AmendOrder() | CancelOrder() as command, msg_type="F" | "G", filler=False):
                is_void = isinstance(command, AmendOrder) and record.stamp_ns > command.deadline_ns
                key, name = (payload.session, command.cl_ord_id), (command.target_strategy, command.target_number)
                if payload.session in self._venues and not is_void and key not in self._by_id:
                    request = _Request(payload.session, name, payload.msg_type, command.attempt, record.lsn)
                    self._by_id[key] = self._waiting[key] = request
                    self._by_name.setdefault(name, []).append(request)
            case Inbound():
                for event in payload.events:
                    self._event(record, payload.session, event)
            case Withdrawn(attempt=Attempt() as attempt):
                self._end_attempts(record, (attempt,))
            case GapFilled():
                self._end_attempts(record, payload.attempts)
            case SessionChanged():
                self._end_all(record, payload.session)

    def _event(self, record: Record, session: str, event: OneEvent) -> None:
        match event:
            case ExecutionReport():
                self._report(record, session, event)
            case CancelRejected():
                self._end(record, (session, event.cl_ord_id))
            case RequestRejected(attempt=Attempt() as attempt):
                self._end_attempts(record, (attempt,))
            case Unreadable():
                # What could not be read may have been an answer.
                self._end_all(record, session)

    def _end_all(self, record: Record, session: str) -> None:
        for key in [key for key in self._waiting if key[0] == session]:
            self._end(record, key)

    def _report(self, record: Record, session: str, report: ExecutionReport) -> None:
        key = (session, report.cl_ord_id)
        request = self._waiting.get(key)
        if request is not None and report.exec_type in ANSWERS[request.msg_type]:
            self._end(record, key)
        if report.ord_status in ENDED:
            # Whose it is by the names of its requests: one that has none has nothing that waits.
            about = self._by_id.get(key) or self._by_id.get((session, report.orig_cl_ord_id))
            named = [k for k, each in self._waiting.items() if about is not None and each.name == about.name]
            for each in named:
                self._end(record, each)

    def _end_attempts(self, record: Record, attempts: tuple[Attempt, ...]) -> None:
        for key in [key for key, each in self._waiting.items() if each.attempt in attempts]:
            self._end(record, key)

    def _end(self, record: Record, key: tuple[str, str]) -> None:
        request = self._waiting.pop(key, None)
        if request is not None:
            request.ended_lsn = record.lsn
