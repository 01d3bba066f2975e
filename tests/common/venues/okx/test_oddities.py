"""OKX's oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.venues.backend import BookBackend, BookFact, BridgedTerms, FillFact, OrderFact, Verdict
from services.bridge.prices import PricedBook
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import SYMBOL, FixClient, Rig, backend, words

D = Decimal


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def code(answer: dict[str, Any]) -> str:
    """sCode of the first row."""
    return str(answer["data"][0]["sCode"])


def test_01_an_id_has_letters_and_digits_alone(raw: Raw, client: FixClient) -> None:
    assert code(raw.call(raw.order("a-1"))[1]) == "51000"
    assert not raw.backend.takes_id("a-1") and not raw.backend.takes_id("a" * 33) and raw.backend.takes_id("a" * 32)
    assert words(client.order("a-1")) == [("A", "A"), ("0", "0")]


def test_02_a_refusal_comes_with_status_200(raw: Raw) -> None:
    status, answer, body = raw.call(raw.order("a1", order_qty=D(90)))
    assert (status, answer["code"], code(answer)) == (200, "1", "51008")
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_03_some_codes_say_that_nobody_knows(rig: Rig, raw: Raw, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    status, answer, body = raw.call(raw.order("a1"))
    assert (status, answer["code"]) == (500, "51149")
    assert raw.backend.read("new", status, body).verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")


def test_04_an_amendment_that_is_taken_may_fail_later(client: FixClient, rig: Rig) -> None:
    client.order("a1")
    told = client.amend("a2", "a1", "90", "60000")
    assert words(told) == [("9", "0")] and len(rig.requests("trade/amend-order")) == 1


def test_05_one_code_for_an_order_that_is_filled_cancelled_or_unknown(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    codes = []
    for name in ("a1", "nosuch"):
        terms = BridgedTerms(name, SYMBOL, "1", "2", D("0.1"), D(60_000))
        status, answer, body = raw.call(raw.backend.cancel(terms, rig.now.wall_ns))
        codes.append(code(answer))
        assert raw.backend.read("cancel", status, body).verdict is Verdict.ABSENT
    assert codes == ["51400", "51400"]


def test_06_what_may_not_take_is_taken_in_and_cancelled(rig: Rig, raw: Raw) -> None:
    rig.stranger("2", "1", "60000")
    status, answer, body = raw.call(raw.order("a1", post_only=True))
    assert code(answer) == "0" and raw.backend.read("new", status, body).verdict is Verdict.DONE
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_07_a_fee_that_is_charged_is_below_0(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    status, answer, body = raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))
    assert answer["data"][0]["fee"] == "-0.00008"
    (fill,) = raw.backend.read("ask_fills", status, body).facts
    assert isinstance(fill, FillFact) and (fill.fee, fill.fee_asset) == (D("0.00008"), "BTC")


def test_08_the_last_moment_is_not_signed(rig: Rig, raw: Raw) -> None:
    call = raw.order("a1")
    late = [(name, str(rig.now.wall_ns // 10**6 - 1) if name == "expTime" else text) for name, text in call.headers]
    status, answer, body = raw.call(call._replace(headers=tuple(late)))
    assert answer["code"] == "50004" and rig.at_venue("a1") is None
    assert raw.backend.read("new", status, body).verdict is Verdict.UNKNOWN


def test_09_a_cancelled_order_without_a_fill_is_forgotten(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    client.cancel("c1", "a1")
    call = raw.backend.ask_order(BridgedTerms("a1", SYMBOL, "1", "2", D("0.1"), D(60_000)), "", rig.now.wall_ns)
    status, _, body = raw.call(call)
    (fact,) = raw.backend.read("ask_order", status, body).facts
    assert isinstance(fact, OrderFact) and fact.ord_status == "4"
    rig.pass_time(7_201, step_s=10)
    call = raw.backend.ask_order(BridgedTerms("a1", SYMBOL, "1", "2", D("0.1"), D(60_000)), "", rig.now.wall_ns)
    status, answer, body = raw.call(call)
    assert answer["code"] == "51603" and raw.backend.read("ask_order", status, body).verdict is Verdict.ABSENT


def test_10_what_was_pushed_while_nobody_listened_is_not_pushed_again(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    asked = len(rig.requests("trade/fills"))
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")] and len(rig.requests("trade/fills")) > asked


def test_11_a_market_order_s_quantity_has_to_be_said_to_be_in_the_base_asset(rig: Rig, raw: Raw) -> None:
    rig.stranger("2", "1", "60000")
    call = raw.order("a1", ord_type="1", price=None, time_in_force="3")
    assert b'"tgtCcy":"base_ccy"' in call.body
    assert code(raw.call(call)[1]) == "0"


def test_12_a_book_s_push_that_changes_nothing_repeats_the_number_before() -> None:
    venue, book = backend(), PricedBook(SYMBOL, lambda bids, offers: "")
    assert isinstance(venue, BookBackend)

    def learn(action: str, former: int, number: int, asks: str = "[]") -> str:
        arg = f'{{"arg":{{"channel":"books","instId":"{SYMBOL}"}},"action":"{action}","data":'
        text = f'{arg}[{{"asks":{asks},"bids":[],"prevSeqId":{former},"seqId":{number}}}]}}'
        _, (fact,) = venue.read_prices(text)
        assert isinstance(fact, BookFact)
        return book.learn(fact)

    assert learn("snapshot", -1, 10, '[["60000","1","0","1"]]') == "" and book.is_known
    assert learn("update", 10, 10) == "" == learn("update", 10, 13, '[["60000","0","0","0"]]')
    assert book.asks.best() is None
    assert learn("update", 14, 15) == "changes 14 to 14 are missing"
