"""Gate.io Futures' oddities by their numbers in its README: what a client that knows nothing of each gets wrong."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.exchange.order import LIMIT, SELL, Terms
from common.messages import ControlRequest
from common.venues.backend import AmendingBackend, FillFact, OrderFact, Push, Verdict
from common.venues.gateiofutures.simulated import rest as simulated
from common.venues.gateiofutures.simulated import rows
from common.venues.gateiofutures.simulated.rest import GateioFuturesRestApi
from common.venues.rest import BadAnswer
from tests.common.venues.gateiofutures.rig import NAME, SYMBOL, USER, backend, gateiofutures_rig
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import FixClient, Rig, words

D = Decimal


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return gateiofutures_rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def positions(rig: Rig) -> dict[str, Any]:
    return {symbol: qty for (_, symbol), (qty, _) in rig.world.core.venue.state.accounts.positions.items()}


def usdt(rig: Rig) -> Any:
    return rig.world.core.venue.state.accounts.balance("desk", "USDT").free


def signed(raw: Raw, method: str, path: str, **asked: object) -> Any:
    """The answer to a request that the back end does not make."""
    call = raw.backend._sign(method, path, {"settle": "usdt", **asked}, raw.rig.now.wall_ns)  # type: ignore[attr-defined]
    return raw.call(call)[1]


def amend_sale(client: FixClient, name: str, orig: str, qty: str, px: str) -> list[dict[int, str]]:
    """OrderCancelReplaceRequest(G) of an order to sell."""
    return client.send("G", f"11={name}|41={orig}|55={SYMBOL}|54=2|38={qty}|40=2|44={px}|59=1|")


def test_01_a_size_counts_contracts_and_is_below_0_for_a_sale(rig: Rig, raw: Raw, client: FixClient) -> None:
    assert words(client.order("a1", side="2", qty="3000")) == [("A", "A"), ("0", "0")]
    (sent,) = rig.requests("futures/usdt/orders ")
    assert b'"size":-3000,' in sent and b'"contract":"BTC_USDT"' in sent and b"reduce_only" not in sent
    client.got.clear()
    rig.stranger("1", "1000", "60000")
    (fill,) = client.got
    assert (fill[150], fill[54], fill[32], fill[31], fill[14], fill[151]) == ("F", "2", "1000", "60000", "1000", "2000")
    assert (fill[137], fill[138]) == ("4.8", "USDT"), "0.0008 of 0.1 BTC"
    assert positions(rig) == {SYMBOL: -1000} and usdt(rig) == 1_000_000 - D("4.8")
    (row,) = raw.call(raw.backend.ask_open("", rig.now.wall_ns))[1]
    assert (row["size"], row["left"]) == (-3000, -2000)
    (told,) = client.order("a2", qty="2.5")
    assert told[150] == "8" and "whole contracts" in told[58]
    (told,) = amend_sale(client, "g1", "a1", "2.5", "60000")
    assert told[35] == "9" and "whole contracts" in told[58]


def test_02_a_perpetual_is_called_as_the_spot_pair(rig: Rig, raw: Raw, client: FixClient) -> None:
    """One that counted by the venue's name would add contracts to coins."""
    client.order("a1", qty="2")
    (row,) = raw.call(raw.backend.ask_open("", rig.now.wall_ns))[1]
    assert row["contract"] == NAME != SYMBOL
    client.got.clear()
    rig.stranger("2", "1", "60000")
    (fill,) = client.got
    assert fill[55] == SYMBOL and fill[17] == f"{SYMBOL}/{fill[1003]}/{fill[37]}"
    client.send("x", f"320=q|559=0|55={SYMBOL}|")
    (told,) = client.got
    assert (told[167], told[762], told[231], told[854], told[120]) == ("FUT", "PERPETUAL", "0.0001", "1", "USDT")


def test_03_our_id_finds_an_order_until_a_minute_after_its_end(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", qty="1")
    rig.stranger("2", "1", "60000")
    client.order("a2", qty="1", px="59000")
    client.cancel("c1", "a2")
    order_id = str(rig.at_venue("a2")["order_id"])  # type: ignore[index]

    def asked(name: str, order_id: str = "") -> Any:
        status, _, body = raw.call(raw.backend.ask_order(raw.terms(name), order_id, rig.now.wall_ns))
        return raw.backend.read("ask_order", status, body)

    assert asked("a1").facts[-1].ord_status == "2" and asked("a2").facts[-1].ord_status == "4"
    rig.pass_time(61, step_s=0.5)
    assert asked("a1").verdict is asked("a2").verdict is Verdict.ABSENT
    assert asked("a2", order_id).facts[-1].ord_status == "4"
    rig.pass_time(540, step_s=5)
    assert asked("a2", order_id).verdict is Verdict.ABSENT
    rows = raw.call(raw.backend.ask_ended(raw.terms("a1"), 0, "", rig.now.wall_ns))[1]  # type: ignore[arg-type]
    assert [row["text"] for row in rows] == ["t-a1"]


def test_03_one_that_the_venue_has_forgotten_ends_by_its_fills(
    rig: Rig, client: FixClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "FORGOTTEN_AFTER_NS", 0)
    client.order("a1", qty="1")
    rig.hush = True
    rig.world.ask("cancel", cl_ord_id="a1")
    rig.pump()
    rig.hush = False
    client.got.clear()
    rig.pass_time(580, step_s=1)
    assert client.status("a1")[39] == "0" and rig.core.status(rig.now)["unexplained"] == ["a1"]
    rig.pass_time(120, step_s=1)
    assert words(client.got)[-1] == ("4", "4")


def test_04_a_price_of_0_is_a_market_order(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "30", "65000")
    told = client.send("D", f"11=a1|55={SYMBOL}|54=1|38=20|40=1|59=3|")
    assert words(told)[-1] == ("F", "2") and positions(rig) == {SYMBOL: 20}
    (sent,) = rig.requests("futures/usdt/orders ")
    assert b'"price":"0","tif":"ioc"' in sent
    for in_force in "14":
        (told_,) = client.send("D", f"11=m{in_force}|55={SYMBOL}|54=1|38=20|40=1|59={in_force}|")
        assert told_[150] == "8" and "TimeInForce(59) 3" in told_[58]
    # A limit order that was changed to 0 would be one.
    client.order("a2", qty="1")
    (told_,) = client.amend("g1", "a2", "1", "0")
    assert (told_[35], told_[434]) == ("9", "2") and "above 0" in told_[58]
    assert not [data for data in rig.requests("futures/usdt/orders/t-a2") if data.startswith(b"PUT")]


def test_05_what_is_private_names_the_user(rig: Rig) -> None:
    asked = msgspec.json.decode(rig.backend.subscribe(rig.now.wall_ns))
    assert asked["channel"] == "futures.orders" and asked["payload"] == [USER, "!all"]
    pushes = rig.world.core.venue.side.orders
    assert pushes._pairs_of(rig.world.core.venue.settings.keys[0], ["4712", "!all"]) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"in_dual_mode": True}, "position_mode dual"), ({"position_mode": "split"}, "position_mode split"),
        ({"margin_mode": 1}, "margin_mode 1"), ({"enable_credit": True}, "enable_credit True"),
        ({"user": 99}, "the user 99"),
    ],
)
def test_06_an_account_of_another_mode_is_not_traded_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], why: str
) -> None:
    answer = GateioFuturesRestApi._account

    def of_another(self: Any, account: str, p: Any, now: Any) -> Any:
        return {**answer(self, account, p, now), **wrong}  # type: ignore[dict-item]

    monkeypatch.setattr(GateioFuturesRestApi, "_account", of_another)
    rig = gateiofutures_rig(tmp_path)
    rig.pass_time(2)
    assert why in str(rig.core.status(rig.now)["wrong_account"])
    assert words(FixClient(rig).order("a1", qty="1")) == [("8", "8")] and not rig.requests("futures/usdt/orders ")


def test_07_what_only_reduces_never_opens_or_turns_a_position(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", qty="5", more="18=E|"))[-1] == ("8", "8")
    assert client.got[-1][58].startswith("INCREASE_POSITION")
    client.order("a2", side="2", qty="3")
    rig.stranger("1", "3", "60000")
    client.order("a3", side="1", qty="5", px="61000", more="18=E|")
    assert b'"reduce_only":true' in rig.requests("futures/usdt/orders ")[-1]
    rig.stranger("2", "9", "61000")
    assert positions(rig) == {SYMBOL: 0}
    assert (client.status("a3")[39], client.status("a3")[14]) == ("4", "3")


def test_08_an_amendment_names_the_whole_size_with_the_side_s_sign(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", side="2", qty="50")
    rig.stranger("1", "20", "60000")
    assert words(amend_sale(client, "g1", "a1", "40", "60500")) == [("5", "1")]
    (sent,) = [data for data in rig.requests("futures/usdt/orders/t-a1") if data.startswith(b"PUT")]
    assert b'"size":-40,' in sent and b"x-gate-exptime" in sent
    assert isinstance(raw.backend, AmendingBackend)
    other = raw.backend.amend(raw.terms("a1", order_qty=D(40)), "r9", rig.now.wall_ns, rig.now.wall_ns + 10**9)
    assert raw.call(other)[1]["label"] == "INVALID_PARAM_VALUE"
    assert words(amend_sale(client, "g2", "g1", "20", "60500"))[0] == ("4", "4")


def test_09_new_orders_and_amendments_of_all_contracts_count_together(rig: Rig, raw: Raw) -> None:
    for n in range(99):
        assert raw.call(raw.order(f"a{n}", order_qty=D(1)))[0] == 201
    assert isinstance(raw.backend, AmendingBackend)
    amend = raw.backend.amend(raw.terms("a1", order_qty=D(2)), "r1", rig.now.wall_ns, rig.now.wall_ns + 10**9)
    assert raw.call(amend)[0] == 200
    status, answer, body = raw.call(raw.order("a100", order_qty=D(1)))
    assert (status, answer["label"]) == (429, "TOO_MANY_REQUESTS")
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED
    assert raw.backend.limit("new", SYMBOL) == raw.backend.limit("amend", "another")
    assert raw.call(raw.backend.cancel(raw.terms("a1"), rig.now.wall_ns))[0] == 200


def test_10_pushes_have_numbers_and_times_of_three_kinds() -> None:
    row = (
        '{"contract":"BTC_USDT","create_time":1628736847,"create_time_ms":1628736847325,"fill_price":0.30000004,'
        '"finish_as":"","finish_time":0,"finish_time_ms":0,"id":4872460,"left":-1,"price":0.1000000000000001,"size":-2,'
        '"status":"open","text":"t-a1","tif":"gtc","amend_text":"-","update_time":1541505434123}'
    )
    push, (fact,) = backend().read_push(f'{{"channel":"futures.orders","event":"update","result":[{row}]}}')
    assert push is Push.OTHER and isinstance(fact, OrderFact)
    assert (fact.price, fact.order_qty, fact.cum_qty, fact.side) == (D("0.1000000000000001"), D(2), D(1), "2")
    assert fact.updated_ns == 1_541_505_434_123_000_000
    for stamp in ("1628736847.325", "1628736847325", "1628736847325000"):
        fields = f'"id":7,"create_time":{stamp},"contract":"BTC_USDT","order_id":"4"'
        told = f'[{{{fields},"size":-1,"price":"1","fee":"1"}}]'
        (fill,) = backend().read("ask_fills", 200, told.encode(), backend().ask_fills(0, "", 0)).facts
        assert isinstance(fill, FillFact) and fill.stamp_ns == 1_628_736_847_325_000_000


def test_11_a_fill_by_time_is_known_by_another_field(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", qty="2")
    rig.stranger("2", "1", "60000")
    (by_time,) = raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))[1]
    order_id = str(rig.at_venue("a1")["order_id"])  # type: ignore[index]
    (of_order,) = raw.call(raw.backend.ask_fills_of(raw.terms("a1"), order_id, "", rig.now.wall_ns))[1]
    assert by_time["trade_id"] == str(of_order["id"]) == client.got[-1][1003] and "id" not in by_time


def test_12_one_that_closes_a_position_whole_does_not_stop_what_is_read() -> None:
    fields = b'"id":5,"contract":"BTC_USDT","create_time":1,"size":0,"left":0,"price":"61000","status":"open"'
    reply = backend().read("ask_open", 200, b'[{%b,"text":"web"}]' % fields, backend().ask_open("", 0))
    (fact,) = reply.facts
    assert isinstance(fact, OrderFact) and (fact.side, fact.order_qty, fact.venue_id) == ("", D(0), "")


def test_13_a_fee_is_in_usdt_or_in_points(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", qty="100")
    rig.stranger("2", "100", "60000")
    status, (row,), body = raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))
    (fill,) = raw.backend.read("ask_fills", status, body, raw.backend.ask_fills(0, "", 0)).facts
    assert isinstance(fill, FillFact) and (fill.fee, fill.fee_asset) == (D("0.48"), "USDT")
    in_points = msgspec.json.encode([{**row, "fee": "0", "point_fee": "0.48"}])
    (fill,) = raw.backend.read("ask_fills", status, in_points, raw.backend.ask_fills(0, "", 0)).facts
    assert isinstance(fill, FillFact) and (fill.fee, fill.fee_asset) == (D("0.48"), "POINT")


def test_14_a_post_only_order_that_would_take_is_refused(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "5", "60000")
    assert words(client.order("a1", qty="1", more="18=6|"))[-1] == ("8", "8")
    assert client.got[-1][58].startswith("ORDER_POC_IMMEDIATE") and rig.at_venue("a1") is None


# ---- money


def test_what_needs_more_margin_than_there_is_is_refused(client: FixClient) -> None:
    assert words(client.order("a1", qty="1540000", px="64000"))[-1] == ("8", "8")
    assert words(client.order("a2", qty="990000", px="64000"))[-1] == ("0", "0")
    assert words(client.order("a3", qty="600000", px="64000"))[-1] == ("8", "8")
    assert client.got[-1][58].startswith("INSUFFICIENT_AVAILABLE")


def test_what_is_closed_is_settled_in_usdt_and_told_as_a_position(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", side="2", qty="300")
    rig.stranger("1", "300", "60000")
    client.order("a2", side="1", qty="100", px="59000")
    rig.stranger("2", "100", "59000")
    fees = D("0.0008") * D("0.0001") * (300 * 60_000 + 100 * 59_000)
    assert usdt(rig) == 1_000_000 + D("0.0001") * 100 * 1000 - fees
    (row,) = signed(raw, "GET", "{settle}/positions", holding="true")
    assert (row["size"], row["entry_price"], row["mode"], row["unrealised_pnl"]) == (-200, "60000", "single", "20")
    told = signed(raw, "GET", "{settle}/accounts")
    assert D(told["total"]) == usdt(rig) and told["position_margin"] == "118"


def test_a_contract_that_is_not_what_it_is_configured_as_is_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rows.contract_row
    monkeypatch.setattr(simulated, "contract_row", lambda i, last: {**row(i, last), "quanto_multiplier": "0.001"})
    rig = gateiofutures_rig(tmp_path)
    rig.pass_time(2)
    wrong = str(rig.core.status(rig.now)["wrong_account"])
    assert "linear contracts of 0.0001, settled in USDT, the venue has linear contracts of 0.001," in wrong
    assert words(FixClient(rig).order("a1", qty="1")) == [("8", "8")]


def test_15_a_contract_that_is_traded_in_fractions_is_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes a fill of a push at its word has half a contract for none."""
    row = rows.contract_row
    monkeypatch.setattr(simulated, "contract_row", lambda i, last: {**row(i, last), "enable_decimal": True})
    rig = gateiofutures_rig(tmp_path)
    rig.pass_time(2)
    assert f"{SYMBOL}: fractions of contracts" in str(rig.core.status(rig.now)["wrong_account"])
    assert words(FixClient(rig).order("a1", qty="1")) == [("8", "8")]
    fields = '"id":"7","create_time":1,"contract":"BTC_USDT","order_id":"4","price":"1","fee":0'
    with pytest.raises(BadAnswer, match="size of a fill is 0"):
        backend().read_push(f'{{"channel":"futures.usertrades","event":"update","result":[{{{fields},"size":0}}]}}')


def test_an_account_trades_with_itself_under_two_names(client: FixClient) -> None:
    client.order("a1", side="2", qty="5", px="60000")
    client.order("a2", side="1", qty="5", px="60000")
    fills = [each for each in client.got if each.get(150) == "F"]
    assert len(fills) == 2 and len({each[17] for each in fills}) == 2 and len({each[1003] for each in fills}) == 1
    assert {(each[11], each[54]) for each in fills} == {("a1", "2"), ("a2", "1")}


def test_the_dead_man_s_switch_reaches_contracts(rig: Rig) -> None:
    guarded = FixClient(rig, "OTHER", logon=b"9001=Y\x01")
    guarded.order("a1", qty="1")
    rig.pass_time(1)
    assert rig.core.status(rig.now)["switch_armed"] is True
    rig.core.abandon()
    rig.world.now = rig.now._replace(boot_ns=rig.now.boot_ns + 61 * 10**9, wall_ns=rig.now.wall_ns + 61 * 10**9)
    rig.world.core.timer(rig.now)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_a_kill_takes_what_was_placed_by_hand(rig: Rig, client: FixClient) -> None:
    terms = Terms("desk", "desk", "byhand", SYMBOL, SELL, LIMIT, D(1), D(70_000))
    order = rig.world.core.venue.engine.place(terms, rig.now)
    client.order("a1", qty="1")
    rig.core.received("control", b"me", ControlRequest("kill", msgspec.json.encode({})), rig.now)
    rig.pass_time(3)
    assert not order.is_open and not rig.core.book.open


def test_a_contract_s_prices_are_in_contracts(rig: Rig) -> None:
    listener = FixClient(rig, "MD", logon=b"141=Y\x01", listener="market_data")
    rig.stranger("2", "7", "65010")
    listener.send("V", f"262=r|263=1|264=0|265=1|146=1|55={SYMBOL}|267=2|269=0|269=1|")
    rig.pass_time(2)
    told = [each for each in listener.got if each[35] in ("W", "X")]
    assert any(each.get(270) == "65010" and each.get(271) == "7" for each in told), told


def test_a_fill_that_was_pushed_while_nobody_listened_is_read(rig: Rig, client: FixClient) -> None:
    client.order("a1", side="2", qty="2")
    rig.cut("websocket")
    rig.stranger("1", "2", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")] and client.got[0][54] == "2"
