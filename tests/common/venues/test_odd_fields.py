"""A report with an odd field counts for what it says without it, which field that was is told, and what a fill cost is
booked right or noted."""

from decimal import Decimal

import pytest

from common.messages import CancelRejected, ExecutionReport, RequestRejected, Unreadable
from common.venues.dialect import BadReport, Dialect
from common.venues.reading import group
from common.venues.registry import find_dialect
from tests.common.venues.samples import raw

GENERIC, BINANCE = find_dialect("generic"), find_dialect("binance")
FILL = "35=8|37=9|11=5-1|17=x9|1003=7|150=F|39=1|55=BTCUSDT|54=1|38=20|32=10|31=5000|14=10|151=10|6=5000|"
D = Decimal


def report(dialect: Dialect, line: str) -> ExecutionReport:
    """The line, which is an ExecutionReport(8)."""
    event = dialect.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    return event


@pytest.mark.parametrize("dialect", [GENERIC, BINANCE], ids=lambda d: d.profile.title)
@pytest.mark.parametrize(
    ("odd", "unread"),
    [
        ("60=20260101-00:00:00Z|", "TransactTime(60)"),
        ("60=20260101|", "TransactTime(60)"),
        ("60=99991231-00:00:00|", "TransactTime(60)"),
        ("44=1E2|", "Price(44)"),
        ("44=NAN|", "Price(44)"),
        ("12=+0.1|15=USDT|", "Commission(12)"),
        ("136=1|137=x|138=USDT|", "MiscFeeAmt(137)"),
        ("136=3|137=1|138=USDT|137=1|138=USDT|", "NoMiscFees(136)"),
    ],
)
def test_an_odd_secondary_field_costs_no_fill(dialect: Dialect, odd: str, unread: str) -> None:
    event = report(dialect, FILL + odd)
    assert (event.last_qty, event.last_px, event.cum_qty) == (D(10), D(5000), D(10)) and event.trade_key
    assert event.unread == (unread,)
    assert event.transact_ns == 0 and event.price is None and event.fee_qty == 0


def test_an_odd_reason_is_noted() -> None:
    event = report(GENERIC, "35=8|37=77|11=5-1|17=1|150=8|39=8|103=N/A|55=B|54=1|14=0|151=0|6=0|")
    assert (event.error_code, event.unread) == (0, ("OrdRejReason(103)",))
    assert GENERIC.decode("9", raw("35=9|37=9|11=5-2|41=5-1|39=0|434=1|102=N/A|")) == CancelRejected(
        "5-2", "5-1", "9", "0"
    )
    assert GENERIC.decode("3", raw("35=3|45=7|373=N/A|")) == RequestRejected(7, None, "", 0)


def test_an_odd_error_code_at_binance_may_be_one_that_says_that_the_outcome_is_not_known() -> None:
    refused = report(BINANCE, "35=8|37=77|11=5-1|17=1|150=8|39=8|25016=x|55=B|54=1|14=0|151=0|6=0|")
    assert refused.ambiguous and refused.unread == ("ErrorCode(25016)",)
    assert not report(BINANCE, FILL + "25016=x|").ambiguous
    cancel = BINANCE.decode("9", raw("35=9|11=5-2|41=5-1|25016=x|58=no|"))
    assert isinstance(cancel, CancelRejected) and cancel.ambiguous


def test_a_price_may_have_19_decimals_and_a_fill_whose_price_cannot_be_read_counts() -> None:
    assert report(GENERIC, FILL.replace("31=5000", "31=0.0000000000000000001")).last_px == D("1E-19")
    event = report(GENERIC, FILL.replace("31=5000", "31=5E3"))
    assert (event.last_qty, event.last_px, event.unread) == (D(10), D(0), ("LastPx(31)",))


def test_an_ord_status_that_is_missing_costs_no_fill() -> None:
    event = report(GENERIC, FILL.replace("39=1|", ""))
    assert (event.last_qty, event.ord_status) == (D(10), "")


@pytest.mark.parametrize(
    ("fee", "booked"),
    [
        ("12=0.1|13=2|479=USDT|", ("50", "USDT")),
        ("12=0.1|13=2|15=USDT|", ("50", "USDT")),
        ("12=0.1|13=1|479=USDT|", ("1", "USDT")),
        ("12=0.1|13=3|479=BTC|", ("0.1", "BTC")),
        ("12=0.1|479=USDT|", ("0.1", "USDT")),
        ("136=1|137=0.2|138=USDT|891=0|", ("0.2", "USDT")),
        ("136=1|137=0.2|138=USDT|891=1|", ("2", "USDT")),
        ("136=1|137=0.2|138=USDT|891=2|", ("100", "USDT")),
        ("136=1|137=-0.2|15=USDT|", ("-0.2", "USDT")),
        ("136=2|137=0.2|138=USDT|891=1|137=0.3|138=USDT|", ("2.3", "USDT")),
        ("136=2|137=0.2|138=USDT|9999=x|137=0.3|138=USDT|", ("0.5", "USDT")),
        ("136=0|12=0.1|479=USDT|", ("0.1", "USDT")),
        ("136=1|137=0.2|138=USDT|12=0.1|13=3|479=USDT|", ("0.3", "USDT")),
        ("", ("0", "")),
    ],
)
def test_a_fee_is_booked_by_its_basis_and_its_currency(fee: str, booked: tuple[str, str]) -> None:
    event = report(GENERIC, FILL + fee)
    assert (event.fee_qty, event.fee_asset) == (D(booked[0]), booked[1])
    assert event.unread == ()


@pytest.mark.parametrize(
    ("fee", "booked", "unread"),
    [
        ("12=0.1|13=3|", ("0", ""), "CommCurrency(479)"),
        ("12=0.1|13=6|15=USDT|", ("0", ""), "CommType(13)"),
        ("136=1|137=0.1|", ("0", ""), "MiscFeeCurr(138)"),
        ("136=1|137=0.1|138=USDT|891=7|", ("0", ""), "MiscFeeBasis(891)"),
        ("136=1|137=0.1|138=N/A|", ("0", ""), "MiscFeeCurr(138)"),
        ("12=0.1|479=[N/A]|", ("0", ""), "CommCurrency(479)"),
        ("136=2|137=0.2|138=USDT|137=0.3|138=BNB|", ("0.2", "USDT"), "a second fee in another currency"),
        ("136=1|137=0.2|138=USDT|12=0.1|479=BNB|", ("0.2", "USDT"), "a second fee in another currency"),
    ],
)
def test_a_fee_that_cannot_be_booked_is_noted(fee: str, booked: tuple[str, str], unread: str) -> None:
    event = report(GENERIC, FILL + fee)
    assert (event.fee_qty, event.fee_asset) == (D(booked[0]), booked[1])
    assert event.unread == (unread,)


def test_a_percentage_of_a_price_that_cannot_be_read_is_noted() -> None:
    event = report(GENERIC, FILL.replace("31=5000", "31=x") + "12=0.1|13=2|15=USDT|")
    assert event.fee_qty == 0 and event.unread == ("LastPx(31)", "CommType(13)")


def test_a_fee_too_small_to_be_counted_costs_no_fill() -> None:
    tiny = "0." + "0" * 39 + "1"
    event = report(GENERIC, FILL.replace("31=5000", f"31={tiny}") + f"12={tiny}|13=2|15=USDT|")
    assert event.fee_qty == 0 and event.unread == ("Commission(12)",)


def test_what_cannot_be_read_names_its_order() -> None:
    assert GENERIC.unread({b"11": b"5-2", b"41": b"5-1", b"37": b"9", b"48": b"BTCUSDT"}, "why") == Unreadable(
        "5-2", "5-1", "9", "BTCUSDT", "why"
    )
    assert BINANCE.unread({b"11": b"5-2_c", b"37": b"NONE"}, "w" * 999) == Unreadable("5-2", "", "", "", "w" * 200)
    for dialect in (GENERIC, BINANCE):
        assert dialect.unread({b"58": b"5-1"}, "why") is None
        assert dialect.unread({b"11": b"5" * 65, b"37": b"NONE"}, "why") is None


def test_a_group_is_cut_by_its_first_tag_whatever_its_members() -> None:
    line = "35=W|55=B|268=2|269=0|270=1|346=3|453=2|448=a|447=D|448=b|447=D|269=1|270=2|"
    assert [(e[b"269"], e[b"270"], e.get(b"448")) for e in group(raw(line), b"268")] == [
        (b"0", b"1", b"a"),
        (b"1", b"2", None),
    ]
    assert group(raw("35=W|55=B|268=0|"), b"268") == group(raw("35=W|55=B|"), b"268") == []


@pytest.mark.parametrize("none", ["", "NONE", "N/A", "[N/A]"])
@pytest.mark.parametrize(("dialect", "tag"), [(GENERIC, "17"), (BINANCE, "1003")])
def test_a_fill_without_a_trade_identity_is_unreadable(dialect: Dialect, tag: str, none: str) -> None:
    """Else it counted as no fill, or all such fills of an order as one."""
    fields = "|".join(f"{tag}={none}" if part.startswith(f"{tag}=") else part for part in FILL.split("|"))
    assert f"|{tag}={none}|" in f"|{fields}|"
    with pytest.raises(BadReport):
        report(dialect, fields)


@pytest.mark.parametrize("odd", ["150=05|39=0|", "150=|39=0|", "150=0|39=|", "150=0|39=00|"])
def test_a_state_that_is_no_single_character_is_unreadable(odd: str) -> None:
    for dialect in (GENERIC, BINANCE):
        with pytest.raises(BadReport):
            report(dialect, "11=5-1|37=9|17=e1|55=BTCUSDT|54=1|38=2|14=0|151=2|" + odd)


@pytest.mark.parametrize("none", ["", "NONE", "N/A", "UNKNOWN"])
def test_a_name_that_says_that_there_is_none_names_nothing(none: str) -> None:
    """Else a cancel went out for OrderID(37)=NONE, and all fills of a venue's unnamed orders were one order's."""
    for dialect in (GENERIC, BINANCE):
        event = report(dialect, f"11=5-1|37={none}|17=e1|150=A|39=A|55=BTCUSDT|54=1|38=2|14=0|151=2|")
        assert (event.cl_ord_id, event.order_id) == ("5-1", "")
        refused = dialect.decode("9", raw(f"35=9|11=5-2|41=5-1|37={none}|39=0|434=1|"))
        assert isinstance(refused, CancelRejected) and refused.order_id == ""
    bust = report(GENERIC, FILL.replace("150=F", "150=H") + f"19={none}|")
    assert bust.reference_trade_key == ""
