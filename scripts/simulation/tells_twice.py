"""A venue whose message says several things: each of its own dialect's events stands in it twice."""

from collections.abc import Mapping
from typing import Any

from common.messages import ExecutionReport, Several, VenueEvent
from common.venues.dialect import Dialect


class TellsTwice:
    """The dialect of a session, in which as many of the next reports as `wanted` says say everything twice."""

    def __init__(self, dialect: Dialect, wanted: dict[str, int], session: str) -> None:
        """`wanted` is by the session's name, and counted down."""
        self._dialect = dialect
        self._wanted = wanted
        self._session = session

    def __getattr__(self, name: str) -> Any:
        """All else is the dialect's own."""
        return getattr(self._dialect, name)

    def decode(self, msg_type: str, raw: bytes, fields: Mapping[bytes, bytes] | None = None) -> VenueEvent | None:
        """See `Dialect`."""
        event = self._dialect.decode(msg_type, raw, fields)
        left = self._wanted.get(self._session, 0)
        if not left or not isinstance(event, ExecutionReport):
            return event
        self._wanted[self._session] = left - 1
        return Several((event, event))
