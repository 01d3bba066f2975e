"""What says that nobody knows is read so whatever was asked, at every venue whose answers are of code, msg and data."""

import msgspec
import pytest

from common.venues.backend import NO_CALL, Backend, HttpCall, Verdict
from common.venues.bitget.backend import BitgetBackend, BitgetContractsBackend
from common.venues.credentials import HmacPassphrase
from common.venues.enveloped import EnvelopedAnswers
from common.venues.kucoin.backend import KucoinSpotBackend
from common.venues.kucoinfutures.backend import KucoinFuturesBackend

KEYS = HmacPassphrase("K", b"S", "P")


def sign(method: str, path: str, parameters: object, wall_ns: int) -> HttpCall:
    """Nothing is sent."""
    return NO_CALL


BACKENDS: list[Backend] = [
    BitgetBackend(("BTCUSDT",), KEYS, sign), BitgetContractsBackend(("BTCUSDT-PERP",), KEYS, sign),
    KucoinSpotBackend(("BTC-USDT",), sign), KucoinFuturesBackend(sign),
]  # fmt: skip
ASKED = ("new", "cancel", "ask_order", "ask_open", "ask_ended", "ask_fills", "ask_fills_of", "ask_time", "ask_account")

of_each = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: type(backend).__name__)


def body(code: object, data: object = None) -> bytes:
    return msgspec.json.encode({"code": code, "msg": "said", "data": data})


@of_each
@pytest.mark.parametrize("what", ASKED)
def test_what_nobody_knows_is_neither_done_nor_refused_nor_absent(backend: Backend, what: str) -> None:
    assert isinstance(backend, EnvelopedAnswers)
    unclear = [(200, body(code)) for code in sorted(backend.undecided)]
    unclear += [(502, body(backend.ok)), (503, b"<html>"), (200, b""), (200, b"{}"), (200, b"[]"), (200, b'{"code"')]
    for status, told in unclear:
        assert backend.read(what, status, told).verdict is Verdict.UNKNOWN, (status, told)


@of_each
@pytest.mark.parametrize("what", [each for each in ASKED if each not in ("new", "cancel", "ask_account")])
def test_a_refused_question_is_without_an_answer(backend: Backend, what: str) -> None:
    for status in (200, 400, 429):
        assert backend.read(what, status, body("123456")).verdict is Verdict.UNKNOWN


@of_each
@pytest.mark.parametrize("what", ["new", "cancel"])
def test_a_refused_act_is_refused_in_the_venue_s_words(backend: Backend, what: str) -> None:
    reply = backend.read(what, 200, body("123456"))
    assert (reply.verdict, reply.code, reply.text) == (Verdict.REFUSED, "123456", "said")


@of_each
def test_an_order_that_the_venue_takes_without_a_name_for_it_is_asked_for(backend: Backend) -> None:
    assert isinstance(backend, EnvelopedAnswers)
    assert backend.read("new", 200, body(backend.ok, {})).verdict is Verdict.UNKNOWN
