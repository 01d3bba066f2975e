"""The life of each order in a run of FIX messages, followed over its chain of ClOrdID(11) and OrigClOrdID(41)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from common.fix.dictionary import Dictionary
from common.fix.errors import GarbledError
from common.fix.text import meaning_in_words
from common.fix.wire import Message

# Requests and reports that speak of one order.
ORDER_TYPES = frozenset({"D", "F", "G", "8", "9", "H", "XCN", "XAK", "XAR", "AB", "AC"})
NO_ID = frozenset({"", "NONE", "UNKNOWN"})


class Step(NamedTuple):
    """One message in an order's life."""

    message: Message
    prefix: str


class Life:
    """One order: its ids in the order of their appearance, and its messages."""

    def __init__(self) -> None:
        self.cl_ord_ids: list[str] = []
        self.order_ids: list[str] = []
        self.steps: list[Step] = []


def lives(items: Iterable[tuple[str, bytes]]) -> list[Life]:
    """Every order, oldest first. An id belongs to one order; messages with PossDupFlag(43)=Y that repeat are kept,
    marked."""
    by_id: dict[tuple[str, str], Life] = {}
    found: list[Life] = []
    for prefix, raw in items:
        try:
            message = Message(raw)
        except GarbledError:
            continue
        if message.msg_type not in ORDER_TYPES:
            continue
        # A session's two sides name each other: the pair without its direction keeps two clients' ids apart.
        sides = "/".join(sorted((message.get(49) or "", message.get(56) or "")))
        names = [(tag, message.get(tag) or "") for tag in (11, 41, 37)]
        keys = [(f"{sides} {37 if tag == 37 else 11}", value) for tag, value in names if value not in NO_ID]
        life = next((by_id[key] for key in keys if key in by_id), None)
        if life is None:
            life = Life()
            found.append(life)
        for key in keys:
            by_id.setdefault(key, life)
            ids = life.order_ids if key[0].endswith(" 37") else life.cl_ord_ids
            if key[1] not in ids:
                ids.append(key[1])
        life.steps.append(Step(message, prefix))
    return found


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
