"""What a client of the bridge is told of its orders while all is well."""

from pathlib import Path

import pytest

from services.bridge.acceptor import Acceptor
from tests.services.bridge.rig import SYMBOL, FixClient, Rig, words


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def test_an_order_is_taken_acknowledged_and_cancelled(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1")) == [("A", "A"), ("0", "0")]
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "0"
    (told,) = client.cancel("a2", "a1")
    assert (told[150], told[39], told[11], told[41]) == ("4", "4", "a2", "a1")


def test_a_fill_is_told_by_its_trade_with_its_fee(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    client.got.clear()
    rig.stranger("2", "0.04", "60000")
    rig.stranger("2", "0.06", "60000")
    first, second = client.got
    assert words(client.got) == [("F", "1"), ("F", "2")]
    assert (first[32], first[31], first[14], first[151]) == ("0.04", "60000", "0.04", "0.06")
    assert (second[14], second[151], second[6]) == ("0.1", "0", "60000")
    assert (first[137], first[138], first[851]) == ("0.000032", "BTC", "1")
    assert first[17] == f"{SYMBOL}/{first[1003]}/{first[37]}" and first[17] != second[17]


def test_an_amendment_keeps_the_order_and_changes_its_name(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    (told,) = client.amend("a2", "a1", "0.2", "61000")
    assert (told[150], told[39], told[11], told[41], told[38], told[44]) == ("5", "0", "a2", "a1", "0.2", "61000")
    (cancelled,) = client.cancel("a3", "a2")
    assert (cancelled[150], cancelled[41]) == ("4", "a2")


def test_an_amendment_that_the_venue_takes_and_then_fails_is_refused(client: FixClient) -> None:
    client.order("a1")
    (told,) = client.amend("a2", "a1", "90", "60000")
    assert (told[35], told[434], told[39], told[11], told[41]) == ("9", "2", "0", "a2", "a1")


@pytest.mark.parametrize(("qty", "px"), [("0", "60000"), ("-1", "60000"), ("0.1", "0"), ("0.1", "-1")])
def test_an_amendment_to_no_quantity_or_no_price_never_leaves(rig: Rig, client: FixClient, qty: str, px: str) -> None:
    """To a venue a price of 0 may be the market's."""
    client.order("a1")
    (told,) = client.amend("a2", "a1", qty, px)
    assert (told[35], told[434], told[39]) == ("9", "2", "0") and "above 0" in told[58]
    assert not rig.requests("trade/amend-order")


def test_what_the_venue_refuses_is_rejected_with_its_code(client: FixClient) -> None:
    told = client.order("a1", qty="90")
    assert words(told) == [("A", "A"), ("8", "8")] and told[1][58].startswith("51008")


def test_what_is_wrong_never_leaves(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    before = len(rig.requests("trade/order"))
    assert words(client.order("a1")) == [("8", "8")]
    assert words(client.send("D", "11=b1|55=NONE|54=1|38=1|40=2|44=1|59=1|")) == [("8", "8")]
    assert words(client.order("b2", more="62=20251231-00:00:00.000|")) == [("8", "8")]
    assert words(client.send("D", f"11=b3|55={SYMBOL}|54=1|38=1|40=3|99=1|59=1|")) == [("3", "")]
    assert words(client.cancel("b4", "zz")) == [("9", "8")]
    assert words(client.amend("b5", "a1", "0", "60000")) == [("9", "0")]
    wrong_side = client.send("G", f"11=b6|41=a1|55={SYMBOL}|54=2|38=0.2|40=2|44=60000|59=1|")
    assert words(wrong_side) == [("9", "0")] and not rig.requests("trade/amend-order")
    assert len(rig.requests("trade/order")) == before


def test_a_name_that_the_venue_does_not_take_is_mapped_and_another_client_has_names_of_its_own(rig: Rig) -> None:
    ours, other = FixClient(rig), FixClient(rig, "OTHER")
    assert words(ours.order("a-1_x")) == [("A", "A"), ("0", "0")]
    assert words(ours.order("a1")) == [("A", "A"), ("0", "0")]
    assert words(other.order("a1")) == [("A", "A"), ("0", "0")]
    assert not ours.got or all(each[11] == "a1" for each in ours.got)
    (told,) = ours.cancel("c1", "a-1_x")
    assert (told[150], told[41]) == ("4", "a-1_x")
    assert other.status("a1")[39] == "0" and other.status("a-1_x")[103] == "5"


def test_all_of_a_client_s_orders_are_cancelled_and_nobody_else_s(rig: Rig) -> None:
    ours, other = FixClient(rig), FixClient(rig, "OTHER")
    ours.order("a1")
    ours.order("a2")
    other.order("b1")
    told = ours.send("q", f"11=q1|530=1|55={SYMBOL}|60=20260101-00:00:00|")
    assert told[0][35] == "r" and (told[0][531], told[0][533]) == ("1", "2")
    assert words(told[1:]) == [("4", "4"), ("4", "4")]
    assert other.status("b1")[39] == "0"


def test_open_orders_are_told_one_by_one(client: FixClient) -> None:
    assert client.send("AF", "584=m1|585=7|")[0][911] == "0"
    client.order("a1")
    client.order("a2")
    told = client.send("AF", "584=m2|585=7|")
    assert [(each[11], each[39], each[911], each[912]) for each in told] == [
        ("a1", "0", "2", "N"), ("a2", "0", "2", "Y"),
    ]  # fmt: skip


def test_an_order_that_may_not_take_is_taken_in_and_cancelled(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "1", "60000")
    assert words(client.order("a1", more="18=6|")) == [("A", "A"), ("0", "0"), ("4", "4")]


def test_a_market_order_is_filled(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "1", "65000")
    told = client.send("D", f"11=a1|55={SYMBOL}|54=1|38=0.5|40=1|59=3|")
    assert words(told) == [("A", "A"), ("0", "0"), ("F", "2")] and told[-1][31] == "65000"


def test_another_client_is_told_in_fields_of_fix_44_alone(rig: Rig, client: FixClient) -> None:
    """Each message is held against the standard as it comes, and one that has more would be rejected by a client that
    keeps to it: fills too."""
    other = FixClient(rig, "OTHER")
    other.order("b1")
    client.order("a1")
    other.got.clear()
    client.got.clear()
    rig.stranger("2", "0.2", "60000")
    (theirs,), (of_theirs, ours) = other.got, client.got
    assert theirs[527] in theirs[17] and 1003 not in theirs
    assert ours[1003] in ours[17] and 527 not in ours and of_theirs[1003] == theirs[527]
    (listed,) = other.send("x", "320=q|559=4|")
    assert (listed[870], 969 in listed) == ("2", False) and listed[872] == "MaxTradeVol(1140)=100"


def test_who_is_told_strictly_is_one_question_for_all_that_is_told(
    rig: Rig, client: FixClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own fills, those of others' orders, and the list."""
    other = FixClient(rig, "OTHER")
    monkeypatch.setattr(Acceptor, "tells_strictly", lambda acceptor, who: True)
    client.order("a1")
    other.order("b1", px="60001")
    client.got.clear()
    rig.stranger("2", "0.2", "60000")
    assert [(527 in each, 1003 in each) for each in client.got] == [(True, False)] * 2
    (listed,) = client.send("x", "320=q|559=4|")
    assert 969 not in listed and listed[872] == "MaxTradeVol(1140)=100"


def test_what_may_be_traded_is_told(client: FixClient) -> None:
    every, one, none, other = (
        client.send("x", f"320=q|559={kind}|{symbol}")[0]
        for kind, symbol in (("4", ""), ("0", f"55={SYMBOL}|"), ("0", "55=NO-SUCH|"), ("3", ""))
    )
    assert (every[320], every[560], every[146], every[55]) == ("q", "0", "1", SYMBOL) and every[969] == "0.1"
    assert one == {**every, **{tag: one[tag] for tag in (9, 10, 34, 52, 322)}}
    assert (none[560], 146 in none) == ("2", False) and (other[560], 146 in other) == ("1", False)


def test_a_cancel_or_an_amendment_takes_no_other_order_s_name(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    client.order("b1", px="59000")
    for told in (client.cancel("a1", "b1"), client.amend("a1", "b1", "0.2", "59000")):
        assert words(told) == [("9", "0")] and told[0][102] == "6"
    (told_all,) = client.send("q", "11=a1|530=7|")
    assert told_all[531] == "0" and client.status("a1")[44] == "60000"
    assert words(client.cancel("c1", "a1")) == [("4", "4")]
