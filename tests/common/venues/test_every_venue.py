"""The conformance suite: what must hold of every venue's folder, its dialect against its own simulated side.

It runs over every folder of common/venues, and over a desk's own: `pytest tests/common/venues/test_every_venue.py
--venue desk.acme`. What a venue lacks it declares in its profile, and here it is seen to be refused.
"""

import re
import time
import tomllib
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec import structs

from common.config import CHECKOUT, ConfigError, SequencePolicy, keys_of
from common.fix.secret_fields import blanked
from common.fix.session import Session
from common.fix.session_types import SessionSettings
from common.fix.wire import encode, split
from common.instant import NS_PER_S
from common.keys import make_credentials
from common.messages import (
    POST_ONLY,
    REDUCE_ONLY,
    Announced,
    Ask,
    CancelRejected,
    ExecutionReport,
    ListedOrder,
    MassCancelReported,
    NewOrder,
    RequestRejected,
    VenueEvent,
)
from common.orders.words import triggers
from common.venues.credentials import Credentials
from common.venues.dialect import BookEntry, Identity, SubscriptionRejected
from common.venues.registry import UnknownVenue, find_dialect, find_profile, find_rest, folder_of, venue_names
from common.venues.rest import AHEAD_NS, RestSettings
from common.venues.venue import CREDENTIAL_FILES, Feature, MarketDataKey, missing_feature
from tests.common.exchange.harness import Client, World
from tests.common.venues import samples
from tests.common.venues.both_sides import NAME, BothSides, Desk, configured
from tests.common.venues.served import Served

TEMPLATE = "_template"
TRAILS: dict[str, object] = {"ord_type": "3", "price": None, "peg_price_type": "8"}
TOLD_UNASKED = (
    Feature.MASS_CANCEL_REPORT, Feature.ANNOUNCEMENT, Feature.FILL_FEES, Feature.LIQUIDITY, Feature.TRIGGER_REPORT,
)  # fmt: skip
PENDING = ("6", "A", "E")
"""ExecType(150) of an acknowledgement: pending cancel, pending new, pending replace."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every venue of the tree, or those that --venue names."""
    if "dialect" in metafunc.fixturenames:
        metafunc.parametrize("dialect", metafunc.config.getoption("--venue") or [*venue_names(), TEMPLATE])


@pytest.fixture
def sides(dialect: str, tmp_path: Path) -> BothSides:
    """The venue's simulated exchange, and our side of it."""
    return BothSides(dialect, tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """Our order entry, logged on."""
    desk = sides.desk()
    assert desk.logged_on
    return desk


def has(dialect: str, feature: Feature) -> bool:
    return find_profile(dialect).has(feature)


def reports(events: list[VenueEvent]) -> list[ExecutionReport]:
    """The reports that tell what was done. A venue may acknowledge a request first: what is pending is not done yet."""
    return [event for event in events if isinstance(event, ExecutionReport) and event.exec_type not in PENDING]


def done(events: list[VenueEvent]) -> list[VenueEvent]:
    """All but that a request is in."""
    return [event for event in events if getattr(event, "exec_type", "") not in PENDING]


def accepted_by(sides: BothSides) -> str:
    """ExecType(150) of the report that accepts a new order: of state where the venue tells nothing else."""
    return "I" if sides.profile.tells_states else "0"


def ends(events: list[VenueEvent]) -> set[tuple[str, str]]:
    """What a cancel was answered with: a venue may tell it more than once."""
    return {(told.exec_type, told.ord_status) for told in reports(events)}


def refused(events: list[VenueEvent]) -> bool:
    """Whether a request was plainly refused, in any of the ways that there are."""
    (event,) = done(events)
    if isinstance(event, ExecutionReport):
        return event.exec_type == "8" and event.ord_status == "8" and not event.ambiguous
    return isinstance(event, CancelRejected | RequestRejected) and not event.ambiguous


# ---- the folder


def test_the_folder_has_what_a_venue_s_folder_has(dialect: str) -> None:
    folder, profile = folder_of(dialect), find_profile(dialect)
    wanted = {"__init__.py", "venue.py", "dialect.py", "venue.toml", "README.md", "samples", "simulated"}
    wanted |= {"rest.py"} if profile.rest else set()
    wanted |= {"fields.py"} if profile.fields else set()
    wanted |= {"backend.py"} if profile.backend else set()
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == wanted


def test_a_venue_of_the_tree_has_a_folder_of_tests(dialect: str) -> None:
    if folder_of(dialect).is_relative_to(CHECKOUT):
        assert list((CHECKOUT / "tests/common/venues" / folder_of(dialect).name).glob("test_*.py"))


def test_the_readme_says_what_it_is_where_it_is_from_its_oddities_and_what_is_assumed(dialect: str) -> None:
    text = (folder_of(dialect) / "README.md").read_text("utf-8")
    assert text.startswith(f"# {find_profile(dialect).title}\n")
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    assert parts[1::2] == ["Sources", "Oddities", "Assumed"]
    numbers = re.findall(r"^(\d+)\. ", parts[4], flags=re.MULTILINE)
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)] and numbers


def test_each_oddity_of_the_readme_has_a_test_of_its_number(dialect: str) -> None:
    """`test_oddities.py` in the folder of tests, `test_07_...` for number 7: what a client that knows nothing of
    it does wrong, and ours does right."""
    folder = folder_of(dialect)
    if not folder.is_relative_to(CHECKOUT):
        return
    readme = (folder / "README.md").read_text("utf-8")
    oddities = readme.partition("## Oddities\n")[2].partition("\n## ")[0]
    numbered = {int(n) for n in re.findall(r"^(\d+)\. ", oddities, flags=re.MULTILINE)}
    tests = (CHECKOUT / "tests/common/venues" / folder.name / "test_oddities.py").read_text("utf-8")
    tested = {int(n) for n in re.findall(r"^def test_(\d\d)_", tests, flags=re.MULTILINE)}
    assert (numbered - tested, tested - numbered) == (set(), set()), "without a test; without a number"


def test_the_venue_s_file_agrees_with_its_dialect(sides: BothSides) -> None:
    """How numbers are kept stands in both: the one is for the session's life, the other for its FIX."""
    for listener, fix in sides.venue.connections.items():
        settings = settings_of(sides, listener)(sides.identity(listener), sides.credentials_of(listener))
        assert settings.sequence_policy.name == fix.sequence_policy.name
        assert settings.reset_on_logon is (fix.sequence_policy is SequencePolicy.RESET)


def settings_of(sides: BothSides, listener: str) -> Callable[[Identity, Credentials | None], SessionSettings]:
    """How the dialect makes the FIX session of one of the venue's connections."""
    return sides.dialect.session_settings if listener == "fix" else sides.dialect.market_data_settings


# ---- samples


def frames(dialect: str) -> list[dict[str, Any]]:
    """The samples of a venue's folder."""
    found = []
    for file in sorted((folder_of(dialect) / "samples").glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        assert table["source"]
        found += table["frame"]
    assert found
    return found


def is_sound(raw: bytes) -> bool:
    """Whether BodyLength(9) and CheckSum(10) fit."""
    body, trailer = raw.index(b"\x0135=") + 1, raw.rindex(b"\x0110=") + 1
    length = int(raw.split(b"\x01", 2)[1].removeprefix(b"9="))
    return length == trailer - body and raw[trailer:] == b"10=%03d\x01" % (sum(raw[:trailer]) % 256)


def test_every_sample_is_a_sound_frame_and_means_what_it_says(dialect: str) -> None:
    ours = find_dialect(dialect)
    for frame in frames(dialect):
        raw = frame["text"].replace("|", "\x01").encode()
        assert is_sound(raw) is not frame.get("altered", False), frame["what"]
        body = raw[raw.index(b"\x0135=") + 1 : raw.rindex(b"\x0110=") + 1]
        fields = split(raw)
        whole = encode(fields[b"8"], body)
        msg_type = fields[b"35"].decode()
        if frame["from"] == "us":
            continue
        if "entries" in frame:
            told = ours.decode_market_data(msg_type, whole)
            assert isinstance(told, list)
            rows = [[e.symbol, e.what, e.action, str(e.px), str(e.qty)] for e in told]
            assert rows == frame["entries"], frame["what"]
            continue
        event = ours.decode(msg_type, whole)
        if "event" not in frame:
            assert event is None, frame["what"]
            continue
        assert event is not None
        wanted = dict(frame["event"])
        assert event.__struct_config__.tag == wanted.pop("type"), frame["what"]
        assert {name: plainly(getattr(event, name)) for name in wanted} == wanted, frame["what"]
        assert not getattr(event, "unread", ()), frame["what"]


def plainly(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value


# ---- logon


def test_we_are_let_in_and_out(sides: BothSides) -> None:
    clients = [sides.desk().client]
    clients += [sides.watcher().client] if sides.venue.market_data is not None else []
    for client in clients:
        assert client.session.logged_on
        client.session.logout("", sides.world.now)
        sides.world.pump()
        assert not client.session.logged_on


def test_the_line_lives_by_heartbeats(desk: Desk) -> None:
    desk.sides.world.pass_time(2.5 * desk.sides.venue.fix.heart_bt_int_s, step_s=0.5)
    assert desk.logged_on


def test_without_its_credentials_nothing_is_even_tried(sides: BothSides) -> None:
    if not sides.profile.credentials:
        assert sides.credentials is None
        return
    for listener in sides.venue.connections:
        settings = settings_of(sides, listener)(sides.identity(listener), sides.credentials_of(listener))
        if settings.logon_fields is None or sides.profile.comp_id_is_assigned:
            continue  # Who logs on here is known by his name alone.
        with pytest.raises(ValueError, match="credentials"):
            settings_of(sides, listener)(sides.identity(), None)


def test_other_credentials_are_not_let_in(sides: BothSides) -> None:
    if sides.profile.comp_id_is_assigned or sides.profile.backend:
        return
    for number in range(len(CREDENTIAL_FILES[sides.profile.credentials[0]]) if sides.profile.credentials else 0):
        theirs = others(sides, number)
        if logon_of(sides, theirs) == logon_of(sides, sides.credentials):
            continue  # It is for what comes later, or for REST.
        desk = sides.desk(theirs)
        assert not desk.logged_on
        sides.world.pass_time(1)
        assert not desk.logged_on


def test_whose_key_prices_are_listened_to_with_is_what_the_dialect_logs_on_with(sides: BothSides) -> None:
    """A profile that says that none is asked for is right about it, and so is one that says that one is."""
    if not (sides.profile.has(Feature.MARKET_DATA) and sides.profile.credentials):
        return
    if sides.profile.backend or sides.profile.market_data_key is MarketDataKey.NONE:
        sides.dialect.market_data_settings(sides.identity("market_data"), None)
        return
    with pytest.raises(ValueError, match="credentials"):
        sides.dialect.market_data_settings(sides.identity("market_data"), None)


def test_a_key_of_its_own_listens_to_prices_and_the_account_s_does_not(dialect: str, tmp_path: Path) -> None:
    profile = find_profile(dialect)
    if not (profile.has(Feature.MARKET_DATA) and profile.credentials) or profile.backend:
        return
    if profile.market_data_key is MarketDataKey.NONE:
        with pytest.raises(ConfigError, match="market_data_credentials: .* asks for no key where it tells prices"):
            configured(dialect, tmp_path, market_data_key=True)
        return
    sides = BothSides(dialect, tmp_path, market_data_key=True)
    account, own = sides.credentials, sides.market_data_credentials
    assert own is not None and own != account
    assert listener_lets_in(sides, "market_data", own) and listener_lets_in(sides, "fix", account)
    assert not listener_lets_in(sides, "market_data", account)
    assert not listener_lets_in(sides, "fix", own), "and it trades nothing"


def listener_lets_in(sides: BothSides, listener: str, credentials: Credentials | None) -> bool:
    """Whether a Logon(A) made with these is let in there."""
    settings = settings_of(sides, listener)(sides.identity(listener, credentials), credentials)
    client = Client(sides.world, listener=listener, session=Session(settings))
    is_in = client.session.logged_on
    if is_in:
        client.session.logout("", sides.world.now)
    sides.world.pass_time(1)
    return is_in


def logon_of(sides: BothSides, credentials: Credentials | None) -> tuple[str, bytes, bytes]:
    """What these credentials make of a Logon(A)."""
    identity = sides.identity("fix", credentials)
    settings = sides.dialect.session_settings(identity, credentials)
    assert settings.logon_fields is not None
    own = settings.logon_fields(1, b"20260101-00:00:00.000")
    sender = identity.sender_comp_id if sides.profile.comp_id_is_api_key else ""
    return sender, own, settings.header_fields


@pytest.mark.parametrize("has_been_in", [False, True])
def test_a_refused_logon_is_followed_by_one_that_is_let_in(sides: BothSides, has_been_in: bool) -> None:
    """Whatever the venue says of the first, the next is in step with it, and orders come through."""
    if sides.profile.backend:
        return  # a bridge lets its clients in, or not: the venue behind it has no logon
    former = sides.desk() if has_been_in else None
    if former is not None:
        sides.world.ask("fault", kind="cut", scope="fix")
    sides.world.ask("fault", kind="refuse", scope="fix", count=2)
    refused = sides.desk() if former is None else former.again()
    assert not refused.logged_on and b"\x0135=A\x01" not in refused.client.wire
    sides.world.pass_time(1)
    refused = refused.again()
    assert not refused.logged_on
    sides.world.pass_time(1)
    desk = refused.again()
    assert desk.logged_on and sides.world.ask("fault")["faults"] == []
    order, _ = desk.new()
    assert sides.state_of(order.cl_ord_id) is not None


def others(sides: BothSides, number: int) -> Credentials:
    """Credentials of which one part is another's."""
    ours = sides.credentials
    assert ours is not None
    name = ours.__struct_fields__[number]
    value = getattr(ours, name)
    if name == "private_key_pem":
        assert sides.venue.credentials is not None
        key_file = sides.config.paths.resolve(sides.venue.credentials.private_key_file)
        key_file.unlink()
        make_credentials(sides.config, keys_of(sides.venue)[0])
        return structs.replace(ours, private_key_pem=key_file.read_bytes())
    return structs.replace(ours, **{name: value[::-1]})


def test_no_secret_of_a_logon_stays_in_what_is_logged(sides: BothSides) -> None:
    ours = sides.credentials
    if ours is None:
        return
    assert not [value for value in msgspec.structs.astuple(ours) if str(value) in repr(ours)]
    settings = sides.dialect.session_settings(sides.identity(), ours)
    if sides.profile.backend:
        assert settings.logon_fields is None
        return
    assert settings.logon_fields is not None
    logon = encode(b"FIX.4.4", b"35=A\x01" + settings.logon_fields(1, b"20260101-00:00:00.000"))
    kept = blanked(logon, sides.profile.key_tags)
    for value in msgspec.structs.astuple(ours):
        secret = value if isinstance(value, bytes) else value.encode()
        assert secret not in kept


# ---- orders


def test_a_new_order_rests(desk: Desk) -> None:
    order, events = desk.new()
    (told,) = reports(events)
    assert (told.exec_type, told.ord_status, told.cl_ord_id, told.symbol, told.side) == (
        accepted_by(desk.sides), "0", order.cl_ord_id, order.symbol, order.side,
    )  # fmt: skip
    assert told.order_id and told.order_qty == order.order_qty and told.price == order.price and not told.trade_key
    state = desk.sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "0" and state["order_id"] == told.order_id


def test_prices_and_quantities_are_written_without_an_exponent_and_exactly(desk: Desk) -> None:
    tick = desk.sides.instrument.tick_size
    price = ((desk.sides.price * Decimal("0.9") / tick).quantize(Decimal(1)) + 1) * tick
    order, _ = desk.new(order_qty=desk.sides.qty.normalize(), price=price.normalize())
    state = desk.sides.state_of(order.cl_ord_id)
    assert state is not None
    assert (Decimal(str(state["order_qty"])), Decimal(str(state["price"]))) == (desk.sides.qty, price)


@pytest.mark.parametrize("side", ["1", "2"])
def test_an_order_is_filled(desk: Desk, side: str) -> None:
    sides = desk.sides
    sides.stranger("2" if side == "1" else "1", sides.qty, sides.price)
    order, events = desk.new(side=side, price=sides.price)
    (fill,) = [told for told in reports(events) if told.exec_type == "F"]
    assert (fill.ord_status, fill.last_qty, fill.last_px, fill.cl_ord_id) == (
        "2", sides.qty, sides.price, order.cl_ord_id,
    )  # fmt: skip
    assert fill.trade_key and not fill.maker and fill.side == side
    assert fill.cum_qty in (None, sides.qty) and fill.leaves_qty in (None, Decimal(0))
    paid_in = sides.settings.instruments[0].fee_asset(side) if sides.profile.has(Feature.FILL_FEES) else ""
    assert (fill.fee_qty > 0, fill.fee_asset) == (bool(paid_in), paid_in)


def test_an_order_is_filled_in_parts_each_known_by_its_own_key(desk: Desk) -> None:
    sides = desk.sides
    part = sides.qty / 4
    order, _ = desk.new(price=sides.price)
    fills: list[ExecutionReport] = []
    for _ in range(4):
        sides.stranger("2", part, sides.price)
        fills += [told for told in reports(desk.heard()) if told.exec_type == "F"]
    assert [fill.ord_status for fill in fills] == ["1", "1", "1", "2"]
    assert [fill.cum_qty for fill in fills] == [part, 2 * part, 3 * part, 4 * part]
    assert all(fill.last_qty == part and fill.cl_ord_id == order.cl_ord_id for fill in fills)
    assert {fill.maker for fill in fills} == {sides.profile.has(Feature.LIQUIDITY)}
    assert len({fill.trade_key for fill in fills}) == 4


def test_a_rejected_order_says_so_and_why(desk: Desk) -> None:
    desk.sides.world.ask("fault", kind="reject", text="Not today.")
    order, events = desk.new()
    assert refused(events)
    (told,) = [event for event in done(events) if isinstance(event, ExecutionReport | RequestRejected)]
    assert told.cl_ord_id == order.cl_ord_id and told.text.endswith("Not today.")
    assert desk.sides.state_of(order.cl_ord_id) is None


@pytest.mark.parametrize("terms", [{"symbol": "NOSUCH"}, {"order_qty": Decimal("0.000000001")}])
def test_an_order_that_the_venue_cannot_take_is_refused_and_the_session_goes_on(
    desk: Desk, terms: dict[str, object]
) -> None:
    _, events = desk.new(**terms)
    assert refused(events)
    assert desk.logged_on
    _, events = desk.new()
    assert [told.exec_type for told in reports(events)] == [accepted_by(desk.sides)]


def test_a_cancel_is_carried_out(desk: Desk) -> None:
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    cancel, events = desk.cancel(order, accepted.order_id)
    assert ends(events) == {("4", "4")}
    for told in reports(events):
        assert told.order_id == accepted.order_id
        assert {told.cl_ord_id, told.orig_cl_ord_id} <= {cancel.cl_ord_id, order.cl_ord_id, ""}
        assert order.cl_ord_id in (told.cl_ord_id, told.orig_cl_ord_id)
    state = desk.sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "4"


def test_a_cancel_of_an_order_that_is_not_known_is_no_unknown_outcome(desk: Desk) -> None:
    order, _ = desk.new()
    (event,) = desk.cancel(structs.replace(order, cl_ord_id=desk.sides.next_name()))[1]
    assert isinstance(event, CancelRejected)
    assert event.unknown_order and not event.ambiguous


def test_an_amendment_changes_price_and_quantity(desk: Desk) -> None:
    if not desk.sides.profile.has(Feature.AMEND):
        return
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    price, qty = order.price, desk.sides.qty / 2
    lower = desk.sides.price * Decimal("0.8")
    changes: list[dict[str, object]] = [
        {"order_qty": qty},
        {"order_qty": qty, "former_order_qty": qty, "price": lower},
        {"order_qty": 3 * qty, "former_order_qty": qty, "price": lower, "former_price": lower},
    ]
    for terms in changes:
        command, events = desk.amend(order, accepted.order_id, **terms)
        told = reports(events)
        opens = desk.sides.dialect.amend_is_new_order(command)
        in_place = "I" if desk.sides.profile.tells_states else "5"
        assert [report.exec_type for report in told] == (["4", "0"] if opens else [in_place])
        assert told[-1].order_qty == terms["order_qty"] and told[-1].price == terms.get("price", price)
        names = {told[-1].cl_ord_id, told[-1].orig_cl_ord_id}
        assert order.cl_ord_id in names if not opens else told[-1].cl_ord_id == command.cl_ord_id
        state = desk.sides.state_of(told[-1].cl_ord_id)
        assert state is not None and Decimal(str(state["leaves_qty"])) == terms["order_qty"]
        order = structs.replace(order, cl_ord_id=told[-1].cl_ord_id)
        accepted = told[-1]


def test_a_post_only_order_takes_nothing(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.POST_ONLY):
        return
    sides.stranger("2", sides.qty, sides.price)
    order, events = desk.new(price=sides.price, instructions=POST_ONLY)
    assert events and not [told for told in reports(events) if told.exec_type == "F"]
    state = sides.state_of(order.cl_ord_id)
    assert state is None or state["ord_status"] in ("4", "8", "C")
    assert [told.exec_type for told in reports(desk.new(instructions=POST_ONLY)[1])] == [accepted_by(sides)]


def test_a_reduce_only_order_ends_where_the_position_does(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.REDUCE_ONLY):
        return
    reduces = {"side": "2", "price": sides.price, "instructions": REDUCE_ONLY}
    order, refusal = desk.new(**reduces)
    assert refused(refusal) and sides.state_of(order.cl_ord_id) is None, "there is nothing to reduce"
    if sides.instrument.contract.is_spot:
        return
    sides.stranger("2", sides.qty, sides.price)
    desk.new(price=sides.price)
    order, events = desk.new(**reduces, order_qty=2 * sides.qty)
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    for _ in range(2):
        sides.stranger("1", sides.qty, sides.price)
    told = [each for each in reports(desk.heard()) if each.cl_ord_id == order.cl_ord_id]
    assert [(each.exec_type, each.ord_status) for each in told] == [("F", "1"), ("4", "4")]
    assert sum(each.last_qty for each in told) == sides.qty


def test_an_iceberg_order_shows_a_part_and_trades_whole(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.ICEBERG):
        return
    order, events = desk.new(price=sides.price, display_qty=sides.qty / 4)
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    books = sides.world.ask("book", symbol=sides.symbol)["books"]
    assert Decimal(books[sides.symbol]["bids"][0]["qty"]) == sides.qty / 4  # type: ignore[index]
    sides.stranger("2", sides.qty, sides.price)
    fills = [told for told in reports(desk.heard()) if told.exec_type == "F"]
    assert [fill.last_qty for fill in fills] == [sides.qty / 4] * 4
    assert fills[-1].ord_status == "2" and {fill.cl_ord_id for fill in fills} == {order.cl_ord_id}


@pytest.mark.parametrize("side", ["1", "2"])
def test_a_market_order_for_an_amount_of_the_quote_asset_spends_no_more(desk: Desk, side: str) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.CASH_QUANTITY):
        return
    sides.stranger("2" if side == "1" else "1", 2 * sides.qty, sides.price)
    cash = sides.price * sides.qty
    terms: dict[str, object] = {"ord_type": "1", "price": None, "time_in_force": "3", "order_qty": 3 * sides.qty}
    if side == "2" and not sides.profile.has(Feature.CASH_SALE):
        sale = samples.new(**terms, side=side, cash_order_qty=cash)
        assert missing_feature(sides.profile, sale) is Feature.CASH_SALE
        return
    order, events = desk.new(**terms, side=side, cash_order_qty=cash)
    fill = [told for told in reports(events) if told.exec_type == "F"][-1]
    assert (fill.last_px, fill.ord_status, fill.cl_ord_id) == (sides.price, "2", order.cl_ord_id)
    # Some take the fee out of it, too.
    left = cash - fill.last_qty * fill.last_px - fill.fee_qty
    assert fill.last_qty == sides.qty or 0 <= left < sides.instrument.lot_size * 2 * sides.price
    assert {told.order_qty for told in reports(events)} == {None}, "the most that it might come to is no term of it"


def test_an_order_that_is_good_till_a_date_ends_by_itself(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.GOOD_TILL_DATE):
        return
    now_ns = sides.world.now.wall_ns
    past, refusal = desk.new(time_in_force="6", expire_ns=now_ns - 10**9)
    assert refused(refusal) and sides.state_of(past.cl_ord_id) is None
    order, events = desk.new(time_in_force="6", expire_ns=now_ns + 3 * 10**9)
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    sides.world.pass_time(2)
    assert not reports(desk.heard())
    sides.world.pass_time(1.2)
    assert [(told.exec_type, told.ord_status, told.cl_ord_id) for told in reports(desk.heard())] == [
        ("C", "C", order.cl_ord_id)
    ]


@pytest.mark.parametrize("limit", [False, True])
def test_a_stop_order_sleeps_until_a_trade_is_at_its_price(desk: Desk, limit: bool) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.STOP_LIMIT_ORDER if limit else Feature.STOP_ORDER):
        return
    tick = sides.instrument.tick_size
    stop_px = sides.price + 10 * tick
    price = stop_px + 2 * tick if limit else None
    order, events = desk.new(ord_type="4" if limit else "3", price=price, stop_px=stop_px)
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    assert reports(events)[0].order_qty == sides.qty
    sides.stranger("2", sides.qty, stop_px + tick)
    woken = ["L", "F"] if sides.profile.has(Feature.TRIGGER_REPORT) else ["F"]
    for at, words in ((stop_px - tick, []), (stop_px, woken)):
        desk.new(side="2", price=at)
        sides.stranger("1", sides.qty, at)
        sides.world.pump()
        told = [each for each in reports(desk.heard()) if each.cl_ord_id == order.cl_ord_id]
        assert ["L" if triggers(each) else each.exec_type for each in told] == words
    assert (told[-1].ord_status, told[-1].last_px) == ("2", stop_px + tick)


@pytest.mark.parametrize("limit", [False, True])
def test_a_take_profit_order_sleeps_until_the_price_is_better(desk: Desk, limit: bool) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.TAKE_PROFIT_LIMIT_ORDER if limit else Feature.TAKE_PROFIT_ORDER):
        return
    tick = sides.instrument.tick_size
    target = sides.price - 10 * tick
    order, events = desk.new(
        ord_type="4" if limit else "3", price=sides.price if limit else None, stop_px=target, take_profit=True
    )
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    check_it_wakes(desk, order.cl_ord_id, ((target + tick, []), (target, ["L", "F"])), sides.price - 5 * tick)


@pytest.mark.parametrize(
    ("feature", "offset", "counted"),
    [(Feature.TRAILING_STOP, 100, "1"), (Feature.TRAILING_STOP_BY_PRICE, 0, "0")],
)
def test_a_trailing_stop_follows_the_lowest_trade(desk: Desk, feature: Feature, offset: int, counted: str) -> None:
    sides = desk.sides
    if not sides.profile.has(feature):
        return
    tick = sides.instrument.tick_size
    lowest = sides.price - 10 * tick
    distance = Decimal(offset) if counted == "1" else lowest / 100 // tick * tick
    order, events = desk.new(
        ord_type="3", price=None, peg_price_type="8", peg_offset=distance, peg_offset_type=counted
    )
    assert [told.exec_type for told in reports(events)] == [accepted_by(sides)]
    at = lowest + (lowest * distance / 10_000 if counted == "1" else distance)
    wakes = (at / tick).to_integral_value(ROUND_CEILING) * tick
    check_it_wakes(desk, order.cl_ord_id, ((lowest, []), (wakes - tick, []), (wakes, ["L", "F"])), wakes + tick)


def check_it_wakes(
    desk: Desk, cl_ord_id: str, path: tuple[tuple[Decimal, list[str]], ...], fills_at: Decimal
) -> None:
    """An order that sleeps is told nothing of until the last trade of the path, and then meets what stands there."""
    sides, told = desk.sides, []
    sides.stranger("2", sides.qty, fills_at)
    for at, words in path:
        desk.new(side="2", price=at)
        sides.stranger("1", sides.qty, at)
        sides.world.pump()
        told = [each for each in reports(desk.heard()) if each.cl_ord_id == cl_ord_id]
        assert [each.exec_type for each in told] == words, at
    assert (told[-1].ord_status, told[-1].last_px) == ("2", fills_at)


def test_a_venue_lists_its_instruments_where_its_profile_says_so(sides: BothSides) -> None:
    question = sides.dialect.encode_instruments("list-1")
    assert (question is not None) is sides.profile.lists_instruments
    if question is None or not sides.profile.has(Feature.MARKET_DATA):
        assert question is None
        return
    watcher = sides.watcher()
    before = len(watcher.client.raw)
    watcher.client.session.send(question.msg_type, question.fields, sides.world.now)
    sides.world.pump()
    told = [sides.dialect.decode_instruments(split(raw)[b"35"].decode(), raw) for raw in watcher.client.raw[before:]]
    listed = {each.symbol: each for part in told if part is not None for each in part.instruments}
    assert set(listed) == set(sides.venue.instruments)
    for symbol, each in listed.items():
        assert each.tick_size == sides.venue.instruments[symbol].tick_size and not each.why_shut


def test_a_pegged_order_has_the_best_price_of_its_side(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.PEGGED_ORDER):
        return
    sides.stranger("1", sides.qty, sides.price)
    order, events = desk.new(ord_type="P", price=None, peg_price_type="5")
    (told,) = reports(events)
    assert (told.exec_type, told.price) == (accepted_by(sides), sides.price)
    sides.stranger("2", 2 * sides.qty, sides.price)
    fill = reports(desk.heard())[-1]
    assert (fill.cl_ord_id, fill.ord_status, fill.last_px) == (order.cl_ord_id, "2", sides.price)


def listed(desk: Desk, contingency: str, *orders: Mapping[str, object]) -> tuple[list[NewOrder], list[VenueEvent]]:
    """An order list of ours, and what came of it."""
    sides = desk.sides
    values = {"symbol": sides.symbol, "order_qty": sides.qty, "contingency": contingency}
    named = [(attempt, sides.name_of(attempt)) for attempt in (sides.next_attempt() for _ in orders)]
    first, *others = [
        samples.new(**{**values, "attempt": attempt, "cl_ord_id": name, **order})
        for order, (attempt, name) in zip(orders, named, strict=True)
    ]
    further = tuple(ListedOrder(each.terms, each.attempt, each.cl_ord_id) for each in others)
    command = structs.replace(first, further=further)
    return list(command.orders), desk.say(sides.dialect.encode_list(command, sides.world.now.wall_ns))


def told_of(events: list[VenueEvent], order: NewOrder) -> list[tuple[str, str]]:
    return [(told.exec_type, told.ord_status) for told in reports(events) if told.cl_ord_id == order.cl_ord_id]


def test_of_two_orders_one_cancels_the_other(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.ORDER_LIST):
        with pytest.raises(ValueError, match="no order lists"):
            sides.dialect.encode_list(samples.new(), 0)
        return
    tick = sides.instrument.tick_size
    sides.stranger("2", sides.qty, sides.price)
    desk.new(price=sides.price)
    desk.heard()
    target = {"side": "2", "price": sides.price + 10 * tick, "instructions": POST_ONLY}
    stop = {"side": "2", "ord_type": "4", "price": sides.price - 12 * tick, "stop_px": sides.price - 10 * tick}
    (limit, sleeps), events = listed(desk, "1", target, stop)
    assert [told_of(events, each) for each in (limit, sleeps)] == [[("0", "0")], [("0", "0")]]
    sides.stranger("1", sides.qty / 2, sides.price + 10 * tick)
    events = desk.heard()
    assert [told_of(events, each) for each in (limit, sleeps)] == [[("F", "1")], [("C", "C")]]
    order_id = next(each.order_id for each in reports(events) if each.cl_ord_id == limit.cl_ord_id)
    assert ends(desk.cancel(limit, order_id)[1]) == {("4", "4")}


def test_a_filled_order_triggers_two_of_which_one_cancels_the_other(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.ORDER_LIST):
        return
    tick = sides.instrument.tick_size
    sides.stranger("2", sides.qty, sides.price)
    desk.new(price=sides.price)
    desk.heard()
    first = {"side": "1", "price": sides.price - tick}
    target = {"side": "2", "price": sides.price + 10 * tick, "instructions": POST_ONLY}
    stop = {"side": "2", "ord_type": "4", "price": sides.price - 12 * tick, "stop_px": sides.price - 10 * tick}
    orders, events = listed(desk, "2", first, target, stop)
    assert [told_of(events, each) for each in orders] == [[("0", "0")], [("9", "9")], [("9", "9")]]
    sides.stranger("2", sides.qty, sides.price - tick)
    events = desk.heard()
    assert [told_of(events, each) for each in orders] == [[("F", "2")], [("0", "0")], [("0", "0")]]
    order_id = next(each.order_id for each in reports(events) if each.cl_ord_id == orders[1].cl_ord_id)
    _, events = desk.cancel(orders[1], order_id)
    assert [each.exec_type for each in reports(events)] == ["4", "4"], "a cancel of one is one of the list"


def test_a_filled_order_pays_what_the_others_sell(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.PAID_ORDER):
        return
    tick = sides.instrument.tick_size
    sides.stranger("2", sides.qty, sides.price)
    desk.new(price=sides.price)
    desk.heard()
    first = {"side": "1", "price": sides.price - tick}
    target = {"side": "2", "price": sides.price + 10 * tick, "instructions": POST_ONLY, "paid": True}
    stop = {"side": "2", "ord_type": "4", "price": sides.price - 12 * tick, "stop_px": sides.price - 10 * tick}
    orders, events = listed(desk, "2", first, target, stop | {"paid": True})
    assert [told_of(events, each) for each in orders] == [[("0", "0")], [("9", "9")], [("9", "9")]]
    assert {told.order_qty for told in reports(events) if told.cl_ord_id != orders[0].cl_ord_id} == {None}
    sides.stranger("2", sides.qty, sides.price - tick)
    placed = [told for told in reports(desk.heard()) if told.exec_type == "0"]
    assert {told.cl_ord_id for told in placed} == {each.cl_ord_id for each in orders[1:]}
    qty = {told.order_qty for told in placed}.pop()
    assert qty is not None and 0 < qty <= sides.qty and not qty % sides.instrument.lot_size
    order_id = next(told.order_id for told in placed if told.cl_ord_id == orders[1].cl_ord_id)
    _, events = desk.cancel(orders[1], order_id)
    assert [each.exec_type for each in reports(events)] == ["4", "4"]


def test_a_list_that_is_refused_is_so_as_a_whole(desk: Desk) -> None:
    sides = desk.sides
    if not sides.profile.has(Feature.ORDER_LIST):
        return
    target = {"side": "2", "price": sides.price, "instructions": POST_ONLY}
    stop = {"side": "2", "ord_type": "3", "price": None, "stop_px": 2 * sides.price}
    orders, events = listed(desk, "1", stop, target)
    assert [told_of(events, each) for each in orders] == [[("8", "8")], [("8", "8")]]
    assert not sides.world.ask("orders")["orders"]


PART_OF = {
    Feature.NEAR_LIMIT: Feature.STOP_LIMIT_ORDER,
    Feature.CASH_SALE: Feature.CASH_QUANTITY,
    Feature.MARKET_BUY_OF_QUANTITY: Feature.MARKET_ORDER,
}
"""What a venue has only with the other, which is asked for first."""


@pytest.mark.parametrize("feature", list(Feature))
def test_what_the_venue_lacks_is_refused_and_what_it_has_is_not(desk: Desk, feature: Feature) -> None:
    """Before it is sent, by name: the session asks `missing_feature` before a command takes a number."""
    sides = desk.sides
    dialect, profile, wall_ns = sides.dialect, sides.profile, sides.world.now.wall_ns
    lacks = not profile.has(feature)
    above, below = 2 * sides.price, sides.instrument.tick_size * (sides.price / sides.instrument.tick_size // 2)
    terms: dict[Feature, dict[str, object]] = {
        Feature.GOOD_TILL_DATE: {"time_in_force": "6", "expire_ns": wall_ns + 10**12},
        Feature.STOP_ORDER: {"ord_type": "3", "price": None, "stop_px": above},
        Feature.STOP_LIMIT_ORDER: {"ord_type": "4", "price": above, "stop_px": above},
        Feature.NEAR_LIMIT: {"ord_type": "4", "price": above - sides.instrument.tick_size, "stop_px": above},
        Feature.TAKE_PROFIT_ORDER: {"ord_type": "3", "price": None, "stop_px": below, "take_profit": True},
        Feature.TAKE_PROFIT_LIMIT_ORDER: {"ord_type": "4", "price": below, "stop_px": below, "take_profit": True},
        Feature.TRAILING_STOP: {**TRAILS, "peg_offset": Decimal(100), "peg_offset_type": "1"},
        Feature.TRAILING_STOP_BY_PRICE: {**TRAILS, "peg_offset": below, "peg_offset_type": "0"},
        Feature.PEGGED_ORDER: {"ord_type": "P", "price": None, "peg_price_type": "4"},
        Feature.POST_ONLY: {"instructions": POST_ONLY},
        Feature.ICEBERG: {"display_qty": sides.qty / 4},
        Feature.CASH_QUANTITY: {
            "ord_type": "1", "price": None, "time_in_force": "3", "cash_order_qty": sides.price * sides.qty,
        },
        Feature.REDUCE_ONLY: {"instructions": REDUCE_ONLY},
        Feature.CASH_SALE: {
            "ord_type": "1", "price": None, "time_in_force": "3", "cash_order_qty": sides.price * sides.qty,
            "side": "2",
        },
        Feature.MARKET_ORDER: {"ord_type": "1", "price": None, "time_in_force": "3", "side": "2"},
        Feature.MARKET_BUY_OF_QUANTITY: {"ord_type": "1", "price": None, "time_in_force": "3"},
        Feature.IMMEDIATE_OR_CANCEL: {"time_in_force": "3"},
        Feature.FILL_OR_KILL: {"time_in_force": "4"},
    }  # fmt: skip
    if feature in terms:
        missing = missing_feature(profile, samples.new(**terms[feature]))
        parent = PART_OF.get(feature)
        if parent is not None and not profile.has(parent):
            assert missing is parent
            return
        assert missing is (feature if lacks else None)
        if not lacks and feature is not Feature.REDUCE_ONLY:  # That one needs a position: see above.
            sides.stranger("1" if terms[feature].get("side") == "2" else "2", sides.qty, sides.price)
            events = done(desk.new(**terms[feature])[1])
            assert events and not refused(events[:1])
    elif feature is Feature.STATUS_QUERY:
        query = structs.replace(samples.QUERY, attempt=sides.next_attempt(), cl_ord_id=sides.next_name())
        assert (dialect.encode_query(query) is None) is lacks
        assert missing_feature(profile, samples.QUERY) is (feature if lacks else None)
    elif feature is Feature.AMEND:
        assert missing_feature(profile, samples.amend()) is (feature if lacks else None)
    elif feature is Feature.ORDER_LIST:
        one = samples.new(instructions=POST_ONLY)
        command = structs.replace(one, contingency="2", further=(ListedOrder(one.terms, one.attempt, "5-9"),))
        if profile.has(Feature.POST_ONLY):
            assert missing_feature(profile, command) is (feature if lacks else None)
    elif feature is Feature.PAID_ORDER:
        one = samples.new(side="2", paid=True)
        further = (ListedOrder(one.terms, one.attempt, "5-9"),)
        missing = missing_feature(profile, structs.replace(samples.new(), contingency="2", further=further))
        assert missing is (Feature.ORDER_LIST if not profile.has(Feature.ORDER_LIST) else feature if lacks else None)
    elif feature is Feature.AMEND_STOP:
        stop = samples.amend(ord_type="4", price=above, stop_px=above)
        if profile.has(Feature.AMEND) and profile.has(Feature.STOP_LIMIT_ORDER):
            assert missing_feature(profile, stop) is (feature if lacks else None)
    elif feature is Feature.MASS_CANCEL:
        assert (dialect.encode_mass_cancel(sides.next_name(), sides.symbol, wall_ns) is None) is lacks
    elif feature in TOLD_UNASKED:
        return  # What nobody asks for is not refused: the tests of what is told see to it.
    elif feature is Feature.LIMIT_QUERY:
        assert (dialect.encode_limit_query("q-1") is None) is lacks
    elif feature is Feature.MARKET_DATA:
        assert (sides.venue.market_data is None) is lacks
        # A bridge listens to the venue's WebSocket.
        assert (sides.exchange.side.market_data is None) is (lacks or bool(profile.backend))
    else:
        assert feature is Feature.UNKNOWN_OUTCOME
        # A bridge finds out itself what the venue behind it does not know.
        assert (bool(sides.exchange.side.lacks.get("unknown")) or bool(profile.backend)) is lacks


def test_the_fate_of_an_order_is_told_on_request(desk: Desk) -> None:
    if not desk.sides.profile.has(Feature.STATUS_QUERY):
        return
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    for order_id in ("", accepted.order_id):
        (told,) = reports(desk.query(order, order_id))
        assert (told.ord_status, told.order_id, told.unknown_order) == ("0", accepted.order_id, False)
        assert told.exec_type == "I" and not told.trade_key
    (unknown,) = reports(desk.query(structs.replace(order, cl_ord_id=desk.sides.next_name())))
    assert unknown.unknown_order and not unknown.trade_key


@pytest.mark.parametrize(("kind", "rests"), [("unknown", True), ("lost", False)])
def test_an_outcome_that_the_venue_does_not_know_is_told_as_such(desk: Desk, kind: str, rests: bool) -> None:
    if desk.sides.profile.backend:
        return
    if not desk.sides.profile.has(Feature.UNKNOWN_OUTCOME):
        assert desk.sides.world.refusal("fault", kind=kind)
        return
    desk.sides.world.ask("fault", kind=kind)
    order, events = desk.new()
    ambiguous = [event for event in events if getattr(event, "ambiguous", False)]
    assert len(ambiguous) == 1 and isinstance(ambiguous[0], ExecutionReport | RequestRejected)
    assert (desk.sides.state_of(order.cl_ord_id) is not None) is rests


def test_a_mass_cancel_leaves_nothing_of_the_symbol(desk: Desk) -> None:
    sides = desk.sides
    orders = [desk.new()[0] for _ in range(3)]
    name = sides.next_name()
    body = sides.dialect.encode_mass_cancel(name, sides.symbol, sides.world.now.wall_ns)
    if body is None:
        return
    events = desk.say(body)
    answered = sides.profile.has(Feature.MASS_CANCEL_REPORT)
    told = [event for event in events if isinstance(event, MassCancelReported)]
    assert len(told) == answered
    for answer in told:
        assert answer.accepted and not answer.ambiguous and answer.symbol in ("", sides.symbol)
        assert answer.cl_ord_id == name
    assert [report.exec_type for report in reports(events)] == ["4"] * 3
    for order in orders:
        state = sides.state_of(order.cl_ord_id)
        assert state is not None and state["ord_status"] == "4"
    again = desk.say(sides.dialect.encode_mass_cancel(sides.next_name(), sides.symbol, sides.world.now.wall_ns))
    assert [type(event) for event in again] == [MassCancelReported] * answered
    assert all(getattr(event, "accepted", False) for event in again), "nothing is left: that is no refusal"


def test_the_venue_s_limits_are_told_on_request(desk: Desk) -> None:
    body = desk.sides.dialect.encode_limit_query("q-1")
    if body is None:
        return
    desk.say(body)
    raw = desk.client.raw[-1]
    limits = desk.sides.dialect.decode_limits(split(raw)[b"35"].decode(), raw)
    messages = desk.sides.venue.fix.limits
    (told,) = [limit for limit in limits if limit.kind == "messages"]
    assert (told.maximum, told.interval_s * 1000) == (messages.messages, messages.window_ms), "as venue.toml has it"


# ---- the connection is lost


def test_what_the_venue_announces_is_told(desk: Desk) -> None:
    if desk.sides.profile.backend:
        return  # The connection is the bridge's own.
    desk.sides.world.ask("fault", kind="maintenance", ms=5000)
    desk.sides.world.pass_time(1)
    told = [event for event in desk.heard() if isinstance(event, Announced)]
    assert bool(told) is desk.sides.profile.has(Feature.ANNOUNCEMENT) and all(news.headline for news in told)
    desk.sides.world.pass_time(6)
    assert not desk.logged_on


def test_what_happens_while_we_are_away_is_told_or_left_to_be_asked_for(desk: Desk) -> None:
    sides = desk.sides
    order, _ = desk.new(price=sides.price)
    desk.client.cut()
    sides.stranger("2", sides.qty / 2, sides.price)
    sides.world.pass_time(3 * sides.venue.fix.heart_bt_int_s, step_s=0.5)
    state = sides.state_of(order.cl_ord_id)
    cancels = sides.profile.cancels_on_disconnect
    assert state is not None and state["ord_status"] == ("4" if cancels else "1"), "as its profile says"
    desk = desk.again()
    sides.world.pump()
    assert desk.logged_on
    if cancels:
        resent = [told.exec_type for told in reports(desk.heard())]
        assert resent == ([] if sides.venue.fix.sequence_policy is SequencePolicy.RESET else ["4"])
        return
    fills = [told for told in reports(desk.heard()) if told.exec_type == "F"]
    if sides.venue.fix.sequence_policy is SequencePolicy.RESET:
        assert not fills and (sides.venue.rest is not None or sides.profile.has(Feature.STATUS_QUERY))
    else:
        assert [fill.last_qty for fill in fills] == [sides.qty / 2]
    assert ends(desk.cancel(order)[1]) == {("4", "4")}


def test_the_venue_s_own_death_costs_nothing(desk: Desk) -> None:
    sides = desk.sides
    order, _ = desk.new()
    sides.world.kill()
    sides.world.pass_time(3 * sides.venue.fix.heart_bt_int_s, step_s=0.5)
    desk = desk.again()
    assert desk.logged_on
    assert ends(desk.cancel(order)[1]) == {("4", "4")}


def test_nothing_that_adds_risk_is_ever_sent_again(dialect: str) -> None:
    ours = find_dialect(dialect)
    assert not ours.resendable(ours.encode_new(samples.new(), 0).msg_type)
    if has(dialect, Feature.AMEND):
        assert not ours.resendable(ours.encode_amend(samples.amend(), 0).msg_type)


# ---- superfluous fields


SUPERFLUOUS = {"1": (b"10000=x\x01", 0), "2": (b"434=1\x01", 2)}
"""A field that no version of FIX has and one that an order has not, and the SessionRejectReason(373) of each."""


@pytest.mark.parametrize("which", SUPERFLUOUS)
def test_a_superfluous_field_is_refused_where_the_exchange_is_told_to(dialect: str, tmp_path: Path, which: str) -> None:
    sides = BothSides(dialect, tmp_path, refuses_superfluous=True)
    if sides.profile.backend:
        return  # what a client sends is read by the bridge, and not by the exchange
    desk = sides.desk()
    more, reason = SUPERFLUOUS[which]
    with_more(desk, more)
    refused = split(desk.client.raw[-1])
    tag = more.partition(b"=")[0]
    assert (refused[b"35"], refused[b"371"]) == (b"3", tag)
    assert int(refused.get(b"373", b"%d" % reason)) == reason, "where the venue gives one"
    assert desk.logged_on and desk.new()[1]


def test_a_superfluous_field_is_ignored_where_the_exchange_is_told_to(dialect: str, tmp_path: Path) -> None:
    desk = BothSides(dialect, tmp_path, refuses_superfluous=False).desk()
    for more, _ in SUPERFLUOUS.values():
        assert desk.sides.state_of(with_more(desk, more)) is not None


def with_more(desk: Desk, more: bytes) -> str:
    """A new order with a field of `more`; its ClOrdID(11)."""
    s, attempt = desk.sides, desk.sides.next_attempt()
    order = samples.new(
        venue=NAME, symbol=s.symbol, order_qty=s.qty, price=s.price * Decimal("0.9"), attempt=attempt,
        cl_ord_id=s.name_of(attempt), deadline_ns=s.world.now.wall_ns + 1_000_000_000,
    )  # fmt: skip
    body = s.dialect.encode_new(order, s.world.now.wall_ns)
    header = s.dialect.header_fields(10**9, s.world.now.wall_ns)
    desk.client.session.send(body.msg_type, body.fields + more, s.world.now, header)
    s.world.pump()
    return order.cl_ord_id


def test_nothing_of_ours_is_superfluous(dialect: str, tmp_path: Path) -> None:
    desk = BothSides(dialect, tmp_path, refuses_superfluous=True).desk()
    sides = desk.sides
    order, events = desk.new()
    order_id = next((e.order_id for e in events if isinstance(e, ExecutionReport) and e.order_id), "")
    for feature, terms in (
        (Feature.POST_ONLY, {"instructions": POST_ONLY}),
        (Feature.STOP_ORDER, {"ord_type": "4", "stop_px": sides.price * 2}),
    ):
        if sides.profile.has(feature):
            desk.new(**terms)
    if sides.profile.has(Feature.AMEND):
        desk.amend(order, order_id, order_qty=order.order_qty / 2)
    if sides.profile.has(Feature.STATUS_QUERY):
        desk.query(order, order_id)
    desk.cancel(order, order_id)
    if sides.profile.has(Feature.MASS_CANCEL):
        desk.say(sides.dialect.encode_mass_cancel(sides.next_name(), sides.symbol, sides.world.now.wall_ns))
    told = list(desk.client.raw)
    if sides.profile.has(Feature.MARKET_DATA):
        watcher = sides.watcher()
        watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol]))
        watcher.say(sides.dialect.encode_refresh("again-1", "md-1", [sides.symbol]))
        told += watcher.client.raw
    assert [raw for raw in map(split, told) if raw[b"35"] == b"3" and raw.get(b"373") in (b"0", b"2")] == []


# ---- REST


def test_a_rest_side_that_nobody_answers_fails_and_tells_no_secret(sides: BothSides) -> None:
    if not sides.profile.rest:
        with pytest.raises(UnknownVenue, match="no REST side"):
            find_rest(sides.venue.dialect)
        return
    ours = sides.credentials
    assert ours is not None
    rest = find_rest(sides.venue.dialect)(RestSettings(NAME, "http://127.0.0.1:9/api", ours, 500))
    for what in ("order", "open_orders", "trades", "balances", "time", "cancel_all"):
        answer = rest.ask(Ask(NAME, 1, what, sides.symbol, sides.next_name()))
        assert answer.failed and answer.text and not answer.not_found
        assert not [value for value in msgspec.structs.astuple(ours) if str(value) in answer.text]


def test_a_trade_that_was_stamped_ahead_of_the_venue_s_clock_is_told(dialect: str, tmp_path: Path) -> None:
    """Another of its machines stamps trades than tells the time, and a clock that ran ahead is set back."""
    sides = BothSides(dialect, tmp_path)
    if not sides.profile.rest or sides.credentials is None:
        return
    (tmp_path / "served").mkdir()
    world = World(tmp_path / "served", sides.settings)
    begun_ns = time.time_ns()
    world.now = world.now._replace(wall_ns=begun_ns + AHEAD_NS - 60 * NS_PER_S)
    (ours, stranger), qty = sides.settings.accounts, f"{sides.qty:f}"
    for account, side in ((ours, "1"), (stranger, "2")):
        name, price = sides.next_name(), f"{sides.price:f}"
        world.ask("place", account=account, cl_ord_id=name, symbol=sides.symbol, side=side, qty=qty, price=price)
    shipped = CHECKOUT / "configs" / f"{dialect}.toml"
    own = tomllib.loads((folder_of(dialect) / "venue.toml").read_text("utf-8"))["environments"]["live"]
    told_at = tomllib.loads(shipped.read_text("utf-8")) if shipped.is_file() else own
    with Served(world) as served:
        url = f"http://127.0.0.1:{served.port('rest')}{urlsplit(told_at['rest']['url']).path}"
        rest: Any = find_rest(sides.venue.dialect)(RestSettings(NAME, url, sides.credentials, 5000))
        rest.api.throttle = lambda cost=None: None
        told = [rest.ask(Ask(NAME, 1, "trades", sides.symbol, since_ns=begun_ns))]
        told += [rest.ask(Ask(NAME, 2, "trades", sides.symbol, from_trade_key=t.trade_key)) for t in told[0].trades]
        rest.api.close()
    assert [answer.text for answer in told if answer.failed] == []
    assert [[trade.last_qty for trade in answer.trades] for answer in told] == [[sides.qty]] * 2


# ---- market data


def test_the_book_and_the_trades_are_told(desk: Desk) -> None:
    if not desk.sides.profile.has(Feature.MARKET_DATA):
        return
    sides = desk.sides
    desk.new(price=sides.price)
    watcher = sides.watcher()
    book = entries(watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol])))
    assert ("", "W") in [(e.what, e.action) for e in book], "a snapshot begins it"
    assert ("0", sides.price, sides.qty) in [(e.what, e.px, e.qty) for e in book]
    assert {e.symbol for e in book} == {sides.symbol}
    offer = sides.price * 2
    sides.stranger("2", sides.qty, offer)
    assert ("1", offer) in [(e.what, e.px) for e in entries(watcher.heard())]
    sides.stranger("2", sides.qty / 2, sides.price)
    traded = [e for e in entries(watcher.heard()) if e.what == "2"]
    assert [(e.px, e.qty, e.taker_side) for e in traded] == [(sides.price, sides.qty / 2, "2")]


def test_a_snapshot_is_had_at_any_time(sides: BothSides) -> None:
    if not sides.profile.has(Feature.MARKET_DATA):
        return
    sides.stranger("1", sides.qty, sides.price)
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol]))
    again = entries(watcher.say(sides.dialect.encode_refresh("again-1", "md-1", [sides.symbol])))
    assert ("0", "W", sides.price) in [(e.what, e.action, e.px) for e in again]


def test_depth_is_had_where_it_is_said_to_be_and_ends_with_its_question(sides: BothSides) -> None:
    if not sides.profile.has(Feature.MARKET_DATA):
        return
    prices = [sides.price * n / 16 for n in (16, 15, 14)]
    for price in prices:
        sides.stranger("1", sides.qty, price)
    watcher, dialect = sides.watcher(), sides.dialect
    book = entries(watcher.say(dialect.encode_subscribe("md-1", [sides.symbol])))
    question = dialect.encode_depth("depth-1", sides.symbol, 50)
    if question is None:
        followed = {e.px for e in book if e.what == "0"}
        assert followed == set(prices[:1] if dialect.best_only else prices)
        return
    assert not dialect.best_only
    before = len(watcher.client.raw)
    told = entries(watcher.say([question.ask]))
    assert {e.px for e in told if e.what == "0"} == set(prices)
    answers = [split(raw) for raw in watcher.client.raw[before:]]
    assert question.md_req_id.encode() in {f.get(b"262") for f in answers if f[b"35"] == b"W"}
    if question.end is not None:
        watcher.say([question.end])
    before = len(watcher.client.raw)
    sides.stranger("1", sides.qty, sides.price * 13 / 16)
    watcher.heard()
    later = [split(raw) for raw in watcher.client.raw[before:]]
    assert question.md_req_id.encode() not in {f.get(b"262") for f in later if f[b"35"] in (b"W", b"X")}


def test_a_subscription_to_what_there_is_not_is_refused(sides: BothSides) -> None:
    if not sides.profile.has(Feature.MARKET_DATA):
        return
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("md-1", ["NOSUCH"]))
    refusals = [split(raw) for raw in watcher.client.raw if split(raw)[b"35"] in (b"Y", b"3")]
    assert refusals and all(fields.get(b"58") for fields in refusals)
    assert watcher.client.session.logged_on


def entries(told: list[BookEntry | SubscriptionRejected]) -> list[BookEntry]:
    """What was told, of which nothing is unreadable and nothing a refusal."""
    found = [entry for entry in told if isinstance(entry, BookEntry)]
    assert len(found) == len(told) and not [entry.why for entry in found if entry.why]
    return found
