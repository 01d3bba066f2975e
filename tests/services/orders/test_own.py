"""The strategies' own parts of positions: added up they are the account's, and each is what its own fills come to."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import NewOrder
from common.orders.books import Books
from common.orders.positions import Position
from common.orders.snapshots import dump_books, load_books
from tests.services.orders.harness import Ring, accepted, live_ring

D = Decimal
PLACE = ("generic", "BTCUSDT")


def parts(books: Books) -> dict[str, Position]:
    """Whose part is which."""
    return {strategy: held for (strategy, *place), held in books.own.items() if tuple(place) == PLACE}


def check_sums(books: Books) -> None:
    """All parts together are the account's position, in all that can be added up."""
    whole, held = books.positions[PLACE], list(parts(books).values())
    assert sum(part.quantity for part in held) == whole.quantity
    assert sum(part.cash for part in held) == whole.cash
    assert sum(part.fills for part in held) == whole.fills
    for asset, paid in whole.fees.items():
        assert sum(part.fees.get(asset, D(0)) for part in held) == paid


def of_two(ring: Ring) -> tuple[NewOrder, NewOrder]:
    """An order of the strategy `s`, and one of `t`."""
    ours = accepted(ring, 1, qty="10")
    ring.hello("t", b"q")
    return ours, accepted(ring, 1, qty="10", peer=b"q", side="2")


def test_each_strategy_has_its_own_average_profit_and_fees(ring: Ring) -> None:
    ours, theirs = of_two(ring)
    ring.report(ours, "F", "1", qty="4", px="100", key="1/a", cum_qty=D(4), fee_qty=D("0.5"), fee_asset="USDT")
    ring.report(theirs, "F", "1", qty="1", px="120", key="1/b", cum_qty=D(1), fee_qty=D("0.1"), fee_asset="USDT")
    books = ring.core.books
    assert books.positions[PLACE].realised_profit == 20, "the account has sold what it had bought"
    held = parts(books)
    assert (held["s"].quantity, held["s"].average_price, held["s"].realised_profit) == (D(4), D(100), D(0))
    assert (held["t"].quantity, held["t"].average_price, held["t"].fees) == (D(-1), D(120), {"USDT": D("0.1")})
    check_sums(books)


def test_a_fill_that_was_nobodys_goes_over_to_its_order_with_its_money(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.report(order, "0", "0", order_id="")
    nameless = {"order_id": "V9", "cl_ord_id": "", "cum_qty": D(1)}
    ring.report(order, "F", "1", qty="1", px="99", key="1/t", fee_qty=D("0.01"), fee_asset="BTC", **nameless)
    assert parts(ring.core.books)[""].cash == -99
    ring.report(order, "I", "2", order_id="V9", cum_qty=D(1))
    held = parts(ring.core.books)
    assert (held[""].quantity, held[""].cash, held[""].fills) == (D(0), D(0), 0)
    assert (held["s"].quantity, held["s"].cash, held["s"].fees) == (D("0.99"), D(-99), {"BTC": D("0.01")})
    check_sums(ring.core.books)


def test_parts_outlive_a_restart_and_a_snapshot(ring: Ring) -> None:
    ours, theirs = of_two(ring)
    ring.report(ours, "F", "1", qty="4", px="100", key="1/a", cum_qty=D(4))
    ring.report(theirs, "F", "1", qty="1", px="120", key="1/b", cum_qty=D(1))
    before, digest = ring.core.books.own, ring.core.books.digest()
    loaded = load_books(dump_books(ring.core.books), {})
    assert (loaded.own, loaded.digest()) == (before, digest)
    ring.start()
    ring.go_live()
    assert (ring.core.books.own, ring.core.books.digest()) == (before, digest)


words = st.lists(
    st.tuples(
        st.sampled_from("st"), st.sampled_from("FFFGH"), st.integers(1, 5), st.integers(90, 110), st.integers(0, 3)
    ),
    max_size=12,
)


class Naive:
    """Each strategy's fills as a plain list, from which everything is added up anew."""

    def __init__(self) -> None:
        self.fills: dict[str, tuple[str, Decimal, Decimal, Decimal]] = {}

    def position(self, strategy: str, sign: int) -> tuple[Decimal, Decimal, Decimal]:
        """Quantity, money and fees."""
        rows = [row for row in self.fills.values() if row[0] == strategy]
        qty, value = sum((r[1] for r in rows), D(0)), sum((r[1] * r[2] for r in rows), D(0))
        return sign * qty, -sign * value, sum((r[3] for r in rows), D(0))


@settings(max_examples=40, deadline=None)
@given(words)
def test_fills_corrections_and_busts_come_to_what_a_naive_list_of_them_does(
    told: list[tuple[str, str, int, int, int]],
) -> None:
    ring = live_ring()
    orders, naive = dict(zip("st", of_two(ring), strict=True)), Naive()
    for nth, (whose, exec_type, qty, px, fee) in enumerate(told):
        key, mine = f"1/{nth}", [key for key, row in naive.fills.items() if row[0] == whose]
        if exec_type != "F" and not mine:
            continue
        reference = "" if exec_type == "F" else mine[0]
        naive.fills.pop(reference, None)
        if exec_type != "H":
            naive.fills[key] = (whose, D(qty), D(px), D(fee))
        ring.report(
            orders[whose], exec_type, "1", qty=str(qty), px=str(px), key=key, reference_trade_key=reference,
            fee_qty=D(fee), fee_asset="USDT",
        )  # fmt: skip
    for whose, sign in (("s", 1), ("t", -1)):
        held = parts(ring.core.books).get(whose, Position(*PLACE))
        assert (held.quantity, held.cash, held.fees.get("USDT", D(0))) == naive.position(whose, sign)
        assert abs(held.realised_profit - held.quantity * held.average_price - held.cash) < D("0.000001")
    if naive.fills:
        check_sums(ring.core.books)


def test_a_strategy_is_told_its_own_part_and_keeps_it_over_its_starts(ring: Ring) -> None:
    ours, theirs = of_two(ring)
    ring.report(ours, "F", "1", qty="4", px="100", key="1/a", cum_qty=D(4), fee_qty=D("0.5"), fee_asset="USDT")
    own = ring.positions()[-1]
    assert (own.quantity, own.own_quantity, own.own_average_price) == (D(4), D(4), D(100))
    assert own.own_fees == (("USDT", D("0.5")),)
    ring.report(theirs, "F", "1", qty="1", px="120", key="1/b", cum_qty=D(1))
    assert ring.positions()[-1].quantity == 3 and ring.positions()[-1].own_quantity is None, "it has not changed"
    assert ring.positions(b"q")[-1].own_quantity == -1
    ring.hello("s", b"r")
    assert [told.own_quantity for told in ring.positions(b"r")] == [D(4)]
    ring.hello("u", b"u")
    assert [told.own_quantity for told in ring.positions(b"u")] == [D(0)], "it has no part"
