"""The names of what a session asks by itself, without the order manager: the kill switch's cancels and questions."""

from typing import NamedTuple

from common.messages import Attempt
from common.orders.names import BEFORE_ALL, ClOrdIdForm, base36, cl_ord_id_of, next_of_session
from services.session.history import History

NO_ATTEMPT = Attempt(0, 0)


class OwnName(NamedTuple):
    """A ClOrdID(11), and the attempt that it is of where the venue takes no text."""

    cl_ord_id: str
    attempt: Attempt | None

    @property
    def named(self) -> Attempt:
        """The attempt of a command to be encoded."""
        return self.attempt or NO_ATTEMPT


class OwnNames:
    """Names that neither the order manager nor another session, nor another life of this one, gives."""

    def __init__(self, history: History, form: ClOrdIdForm, place: int) -> None:
        """`place` is the session's among its account's."""
        self._history = history
        self._form = form
        self._place = place
        self._given = 0

    def next(self, connection: int) -> OwnName:
        """The next one.

        As text: K, the connection, a counter. Not the epoch: one that was taken while the journal was away may be
        granted to a later life. In any other form it is the next attempt of the session's own behind the highest that
        it has sent a name of, which its history knows by the record of each.
        """
        if self._form is ClOrdIdForm.TEXT:
            self._given += 1
            return OwnName(f"K{base36(connection)}-{base36(self._given)}", None)
        last = max(self._history.named, BEFORE_ALL, key=lambda each: (each.epoch, each.counter))
        attempt = Attempt(last.epoch, next_of_session(last.counter, self._place))
        return OwnName(cl_ord_id_of(attempt, self._form), attempt)
