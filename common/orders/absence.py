"""Evidence of absence: when "there is no such order" proves that a message never had, and never will have, an effect.

Silence proves nothing, and neither does a timeout. What proves it is that the venue, asked after nothing sent then
could take effect any more, knows neither the order nor a trade of it. Over FIX that is so on a later connection, or
once the venue has answered the message itself by what could not be read, at a venue whose requests die with their
connection. Over REST it is so when

- the question was asked after the end of the connection that carried the message was read, or that connection still
  lives and the venue itself said that it is done with the request;
- at a venue that has no window, it was asked after the venue let that session log on anew: until then it may yet read
  what the old connection carried, however long ago our side of that ended;
- it was answered, by the venue's clock, after the venue's window for the message and its processing limit had closed;
- all trades of the symbol were told after that too, each of an order that is known.
"""

from typing import TYPE_CHECKING, Final

from common.fix.wire import parse_utc_timestamp
from common.instant import NS_PER_S
from common.messages import Answer, SessionState

if TYPE_CHECKING:
    from common.orders.books import SessionBooks, TradesAsked

CLOCK_MARGIN_NS: Final = NS_PER_S
"""How far the venue's clock may be ahead of ours: more than its own check of SendingTime(52) lets pass."""

_SENDING_TIME: Final = b"\x0152="

DOWN: Final = frozenset({SessionState.DISCONNECTED, SessionState.HALTED, SessionState.LOGGED_OUT_BY_HAND})
"""A session's states in which it has no connection."""


def sending_ns(raw: bytes, stamp_ns: int) -> int:
    """From when the venue counts its window for a message: SendingTime(52), by the clock that the venue was told.

    The journal's stamp, which follows no wall clock, is `stamp_ns`: it serves where the message has no such time.
    """
    start = raw.find(_SENDING_TIME)
    if start < 0:
        return stamp_ns
    start += len(_SENDING_TIME)
    try:
        return parse_utc_timestamp(raw[start : raw.index(b"\x01", start)])
    except ValueError:
        return stamp_ns


def is_dead(line: "SessionBooks", connection: int) -> bool:
    """Whether the connection that carried a message has ended."""
    return line.connection > connection or line.state in DOWN


def unknown_over_fix(asked_on: int, sent_on: int, window_ns: int, *, answered: bool = False) -> bool:
    """Whether "no such order", asked on the connection `asked_on`, proves that what was sent on `sent_on` never
    arrived, or came to nothing. `answered`: the venue had said something to it before, which could not be read."""
    return (answered or asked_on > sent_on) and not window_ns


def window_closed(answer: Answer, line: "SessionBooks", sent_ns: int, connection: int, window_ns: int) -> bool:
    """Whether, when this was asked and answered, nothing sent at `sent_ns` on that connection could still take
    effect."""
    # A venue that has answered a request with "timed out" is done with it when its window has closed, whether or not
    # the connection lives; one whose connection died must be asked after its end was read.
    if not is_dead(line, connection):
        asked_after = True
    elif window_ns:
        asked_after = line.down_lsn < answer.ask.asked_lsn
    else:
        asked_after = line.up_connection > connection and line.up_lsn < answer.ask.asked_lsn
    return asked_after and answer.venue_ns > sent_ns + window_ns + CLOCK_MARGIN_NS


def no_stranger(told: "TradesAsked | None", sent_ns: int, window_ns: int) -> bool:
    """Whether all trades of the symbol were told after the window too, each of an order that is known."""
    return told is not None and told.venue_ns > sent_ns + window_ns + CLOCK_MARGIN_NS and not told.strangers
