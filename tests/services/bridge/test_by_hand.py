"""What somebody does to a client's order at the venue itself: by hand, or the venue on its own."""

from pathlib import Path

import pytest

from common.exchange.order import LIMIT, Asked, Order, Terms
from common.venues.backend import FillFact, OrderFact
from tests.services.bridge.rig import SYMBOL, D, FixClient, Rig, words


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def there(rig: Rig, name: str) -> Order:
    """The order as the venue's engine has it."""
    found = rig.world.core.venue.find("desk", SYMBOL, "", name)
    assert isinstance(found, Order)
    return found


def by_hand(rig: Rig, name: str, qty: str, px: str) -> None:
    """Somebody amends the order in the venue's own page: no request of ours is behind it."""
    rig.pass_time(0.1)
    order = there(rig, name)
    rig.world.core.venue.engine.replace(order, Asked(order.cl_ord_id, ""), D(qty), D(px), rig.now)
    rig.pump()


def test_an_amendment_by_hand_is_no_answer_to_a_cancel(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="0.5")
    rig.world.ask("fault", kind="silent", scope="fix", count=1, ms=0)
    client.cancel("c1", "a1")
    client.got.clear()
    by_hand(rig, "a1", "0.4", "60000")
    assert all(each.get(11) != "c1" for each in client.got)
    rig.pass_time(5)
    assert words(client.got)[-1] == ("4", "4") and client.got[-1][11] == "c1"
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_an_amendment_by_hand_is_told(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="0.1")
    client.got.clear()
    by_hand(rig, "a1", "0.5", "60100")
    (told,) = client.got
    assert (told[150], told[39], told[11], told[38], told[44], told[151]) == ("D", "0", "a1", "0.5", "60100", "0.5")
    client.got.clear()
    rig.stranger("2", "0.1", "60100")
    assert words(client.got) == [("F", "1")]
    assert words(client.cancel("c1", "a1")) == [("4", "4")]


def test_a_kill_cancels_what_is_over_here_and_open_there(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="0.1")
    rig.hush = True
    by_hand(rig, "a1", "0.5", "60000")
    rig.hush = False
    rig.stranger("2", "0.1", "60000")
    rig.core._kill(None, "test", rig.now)  # type: ignore[arg-type]
    rig.pass_time(5)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_what_was_made_larger_by_hand_is_not_over_by_its_former_quantity_however_late_that_is_told(
    rig: Rig, client: FixClient
) -> None:
    client.order("a1", qty="0.1")
    rig.hush = True
    by_hand(rig, "a1", "0.5", "60000")
    rig.hush = False
    client.got.clear()
    rig.stranger("2", "0.1", "60000")
    rig.pass_time(31)
    assert words(client.got)[-1] == ("D", "1")
    assert (client.status("a1")[39], client.status("a1")[151]) == ("1", "0.4")
    rig.kill()
    rig.live()
    again = client.again()
    assert again.status("a1")[151] == "0.4"
    assert words(again.cancel("c1", "a1")) == [("4", "4")]


def test_what_was_made_smaller_at_the_venue_is_over_by_what_is_left(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="0.5")
    rig.stranger("2", "0.1", "60000")
    client.got.clear()
    by_hand(rig, "a1", "0.2", "60000")
    assert words(client.got) == [("D", "1")] and client.got[0][151] == "0.1"
    rig.stranger("2", "0.1", "60000")
    assert words(client.got)[-1] == ("F", "2") and rig.core.status(rig.now)["open_orders"] == 0


def test_how_an_order_was_before_an_amendment_is_no_answer_to_the_next(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    found = there(rig, "a1")
    former = OrderFact("a1", "1", SYMBOL, "0", found.order_qty, found.price, D(0), rig.now.wall_ns, "1")
    rig.pass_time(0.1)
    client.amend("a2", "a1", "0.1", "61000")
    rig.world.ask("fault", kind="lost", scope="rest", count=1, ms=0)
    client.amend("a3", "a2", "0.1", "60000")
    client.got.clear()
    rig.core.venue._desk.learn(former, rig.now)
    rig.pass_time(5)
    assert words(client.got) == [("9", "0")] and client.got[0][11] == "a3"
    assert client.status("a2")[44] == "61000"


# ---- what nobody here has placed


def placed(rig: Rig, name: str, side: str, qty: str, px: str) -> Order:
    """Somebody places an order on our account without the bridge, or the venue does to liquidate it."""
    terms = Terms("desk", "desk", name, SYMBOL, side, LIMIT, D(qty), D(px))
    order = rig.world.core.venue.engine.place(terms, rig.now)
    rig.pump()
    return order


def trades(client: FixClient) -> list[tuple[str, str, str, str]]:
    told = [each for each in client.got if each.get(150) == "F"]
    return [(each.get(1003) or each[527], each[54], each[32], each[31]) for each in told]


def test_a_fill_of_an_order_that_nobody_here_has_placed_is_told_to_the_first_client_once(rig: Rig) -> None:
    ours, other = FixClient(rig), FixClient(rig, "OTHER")
    placed(rig, "", "2", "0.3", "64000")
    rig.stranger("1", "0.2", "64000")
    (told,) = [each for each in ours.got if each[35] == "8"]
    assert (told[150], told[39], told[11], told[54], told[32], told[31]) == ("F", "2", "NONE", "2", "0.2", "64000")
    assert (told[137], told[138], told[17]) == ("10.24", "USDT", f"{SYMBOL}/{told[1003]}/{told[37]}")
    rig.cut("websocket")
    rig.stranger("1", "0.1", "64000")
    rig.pass_time(40)
    assert [each[2:] for each in trades(ours)] == [("0.2", "64000"), ("0.1", "64000")] and trades(other) == []


def test_a_fill_of_another_client_s_order_is_told_to_the_first_one_too(rig: Rig) -> None:
    ours, other = FixClient(rig), FixClient(rig, "OTHER")
    other.order("x1", qty="0.2")
    rig.stranger("2", "0.2", "60000")
    assert trades(ours) == trades(other) and len(trades(ours)) == 1
    assert ours.got[-1][11] == "x1" and ours.got[-1][17] == other.got[-1][17]


def test_a_fill_that_may_be_of_an_order_without_an_answer_waits_for_that(rig: Rig, client: FixClient) -> None:
    rig.deaf = rig.hush = True
    client.order("a1")
    order = there(rig, "a1")
    fact = FillFact("", str(order.order_id), SYMBOL, "1", D(60_000), D("0.04"), D(0), "", True, rig.now.wall_ns, "1")
    rig.core.venue._desk.learn(fact, rig.now)
    client.got.clear()
    rig.pump()
    assert trades(client) == []
    rig.deaf = rig.hush = False
    rig.pass_time(7)
    assert words(client.got) == [("0", "0"), ("F", "1")] and client.got[1][11] == "a1"


def test_what_was_filled_before_this_life_is_told_by_the_account_alone(rig: Rig, client: FixClient) -> None:
    before_ns = rig.now.wall_ns - 3600 * 10**9
    rig.core.venue._desk.learn(
        FillFact("", "77", SYMBOL, "5", D(60_000), D("0.04"), D(0), "", True, before_ns, "1"), rig.now
    )
    rig.pump()
    assert trades(client) == []


def test_a_reading_that_is_less_exact_than_the_push_before_tells_an_amendment(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.world.ask("fault", kind="lost", scope="rest", count=1, ms=0)
    client.amend("a2", "a1", "0.1", "61000")
    client.got.clear()
    learn, stamp_ns = rig.core.venue._desk.learn, rig.now.wall_ns + 10**6
    push = OrderFact("a1", "1", SYMBOL, "0", D("0.1"), D(60_000), D(0), stamp_ns + 700_000, "1")
    learn(push, rig.now)
    learn(push._replace(price=D(61_000), updated_ns=stamp_ns), rig.now)
    rig.pump()
    assert words(client.got) == [("5", "0")] and client.got[0][11] == "a2"
