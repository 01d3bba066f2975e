"""The life of each order in a run of FIX messages, followed over its chain of ClOrdID(11) and OrigClOrdID(41)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from common.fix.dictionary import Dictionary
from common.fix.errors import GarbledError
from common.fix.text import cut_text, meaning_in_words, whole_fields
from common.fix.wire import Message
from common.orders.belief import NO_INSTRUMENT
from common.orders.words import TERMINAL_WORDS

# Requests and reports that speak of one order.
ORDER_TYPES = frozenset({"D", "F", "G", "8", "9", "H", "XCN", "XAK", "XAR", "AB", "AC"})
NEW_ORDERS = frozenset({"D", "AB"})
# Requests whose ClOrdID(11) is a new name; OrigClOrdID(41) says of which order.
REQUESTS = frozenset({"F", "G", "AC", "XCN", "XAK"})
NO_ID = frozenset({"", "0", "NONE", "NULL", "UNKNOWN", "N/A", "[N/A]"})
DUPLICATE_ORDER = "6"  # OrdRejReason(103): it speaks of the second order, not of the one that has the name


class Step(NamedTuple):
    """One message in an order's life."""

    message: Message
    prefix: str


class Life:
    """One order: its ids, the ClOrdIDs in the order in which they replaced each other, and its messages."""

    def __init__(self, number: int) -> None:
        """`number` counts the lives: of two that had one name, the higher is the later."""
        self.number = number
        self.cl_ord_ids: list[str] = []
        self.order_ids: list[str] = []
        self.steps: list[Step] = []
        self.ended = False

    def learn(self, message: Message, prefix: str, orig: str, cl_ord_id: str, order_id: str) -> None:
        """Take one more message; "" is no id."""
        self.steps.append(Step(message, prefix))
        ids = self.cl_ord_ids
        if orig and orig not in ids:
            ids.insert(ids.index(cl_ord_id) if cl_ord_id in ids else len(ids), orig)
        if cl_ord_id and cl_ord_id not in ids:
            ids.append(cl_ord_id)
        if order_id and order_id not in self.order_ids:
            self.order_ids.append(order_id)
        status = message.get(39) if message.msg_type == "8" else None
        if status is not None and not _repeats(message) and message.get(103) != DUPLICATE_ORDER:
            self.ended = status in TERMINAL_WORDS


class Lives:
    """Whose each message is.

    A ClOrdID(11) is one order's from its first message to the order's end, and may then be another's. An OrderID(37)
    is one order's among those of its Symbol(55), and where both ids are known and differ, it decides only for an
    order that had that ClOrdID too. A message that comes again byte for byte, as in the other side's log, is the
    same order's.
    """

    def __init__(self) -> None:
        self.found: list[Life] = []
        self._by_raw: dict[bytes, Life] = {}
        self._by_cl_ord_id: dict[tuple[str, str], Life] = {}
        self._by_order_id: dict[tuple[str, str], dict[str, Life]] = {}

    def take(self, message: Message, prefix: str) -> None:
        """Put a message into the life that it is of, or into a new one."""
        # A session's two sides name each other: the pair without its direction keeps two clients' ids apart.
        sides = "/".join(sorted((message.get(49) or "", message.get(56) or "")))
        orig, cl_ord_id, order_id = (_id(message, tag) for tag in (41, 11, 37))
        symbol = message.get(55) or ""
        symbol = "" if symbol in NO_INSTRUMENT else symbol
        names = (orig, cl_ord_id) if message.msg_type in REQUESTS else (cl_ord_id, orig)
        named = next((life for name in names if (life := self._by_cl_ord_id.get((sides, name)))), None)
        numbered = self._numbered((sides, order_id), symbol)
        life = self._by_raw.get(message.raw) or _chosen(message, named, numbered, order_id)
        if life is None:
            life = Life(len(self.found))
            self.found.append(life)
        life.learn(message, prefix, orig, cl_ord_id, order_id)
        self._by_raw.setdefault(message.raw, life)
        for name in filter(None, names):
            before = self._by_cl_ord_id.get((sides, name), life)
            self._by_cl_ord_id[sides, name] = max(before, life, key=_number)
        if order_id:
            by_symbol = self._by_order_id.setdefault((sides, order_id), {})
            by_symbol[symbol] = max(by_symbol.get(symbol, life), life, key=_number)

    def _numbered(self, key: tuple[str, str], symbol: str) -> Life | None:
        """The order with an OrderID(37). Without a symbol, if no two symbols have the id."""
        by_symbol = self._by_order_id.get(key, {})
        if symbol:
            return by_symbol.get(symbol) or by_symbol.get("")
        return next(iter(by_symbol.values())) if len(by_symbol) == 1 else None


def _chosen(message: Message, named: Life | None, numbered: Life | None, order_id: str) -> Life | None:
    """The life of a message of those that its ClOrdIDs and its OrderID(37) name; None for a new one."""
    if message.msg_type in NEW_ORDERS:
        return None if named is None or (named.ended and not _repeats(message)) else named
    report = message.msg_type == "8"
    opens = report and message.get(150) in ("0", "A") and not _repeats(message)
    if opens and named is not None and not named.ended:
        return named
    if numbered is not None and (numbered is named or _shares_name(message, numbered)):
        return numbered
    if named is not None:
        another = report and named.ended and bool(order_id and named.order_ids) and not _id(message, 41)
        return None if another else named
    another = numbered is not None and numbered.ended and report and bool(_id(message, 11)) and not _id(message, 41)
    return None if another else numbered


def _shares_name(message: Message, life: Life) -> bool:
    return not {_id(message, 11), _id(message, 41)}.isdisjoint(life.cl_ord_ids)


def _repeats(message: Message) -> bool:
    """Whether it says that it may have been sent before."""
    return message.get(43) == "Y" or message.get(97) == "Y"


def _id(message: Message, tag: int) -> str:
    value = message.get(tag) or ""
    return "" if value.strip().upper() in NO_ID else value


def _number(life: Life) -> int:
    return life.number


def lives(items: Iterable[tuple[str, bytes]]) -> list[Life]:
    """Every order, oldest first. Messages that come again are kept, those with PossDupFlag(43)=Y are marked."""
    whose = Lives()
    for prefix, raw in items:
        try:
            message = Message(whole_fields(raw))
        except GarbledError:
            continue
        if message.msg_type in ORDER_TYPES:
            whose.take(message, prefix)
    return whose.found


def told(life: Life, dictionary: Dictionary) -> Iterator[str]:
    """A life as lines: a head, then one line a message."""
    first = life.steps[0].message
    head = [f"ClOrdID(11) {' -> '.join(life.cl_ord_ids) or '?'}", f"OrderID(37) {', '.join(life.order_ids) or '?'}"]
    yield "  ".join([*head, *_words(first, dictionary, (55, 54, 40, 59))])
    for step in life.steps:
        message = step.message
        name = dictionary.message_name(message.msg_type) or message.msg_type
        again = " again" if message.get(43) == "Y" else ""
        words = _words(message, dictionary, (11, 150, 39, 38, 44, 99, 14, 151, 32, 31, 6, 102, 103, 58))
        if how := cut_text(message.raw):
            words.append(f"[{how}]")
        yield f"  {message.get(52) or '?':<21}  {message.get(49)}>{message.get(56)} {name}{again}  {'  '.join(words)}"


def _words(message: Message, dictionary: Dictionary, tags: tuple[int, ...]) -> list[str]:
    words = []
    for tag in tags:
        value = message.get(tag)
        if value is None:
            continue
        meaning = dictionary.value_name(tag, value)
        words.append(f"{dictionary.field_name(tag)} {meaning_in_words(meaning) if meaning else value}")
    return words
