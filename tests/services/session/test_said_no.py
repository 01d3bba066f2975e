"""What a session says no to, and why: acts by hand, commands of risk, a disk."""

from base64 import b64encode
from pathlib import Path

import pytest
from msgspec import structs

from common.fix.session_types import SequencePolicy
from common.instant import NS_PER_MS
from common.journal.files import OsFiles
from common.messages import Attempt, Kind, OperatorAct, QueryOrder, Reason, Refused
from common.venues.credentials import HmacSecret
from common.venues.dialect import Body
from common.venues.generic.dialect import Generic
from common.venues.kraken.dialect import Kraken
from common.venues.kraken.venue import VALID_NS
from common.venues.venue import Feature
from tests.services.session.harness import World, generic_config, heard, refusals
from tests.services.session.test_kill import answer_cancels
from tests.terms import wanting


class Taciturn(Generic):
    """A venue that has neither OrderStatusRequest(H) nor OrderMassCancelRequest(q)."""

    profile = structs.replace(Generic.profile, lacks=frozenset({Feature.STATUS_QUERY, Feature.MASS_CANCEL}))

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        return None


class Mute(Generic):
    """A venue that answers a mass cancel by the reports of the orders alone, and finds orders of the session alone."""

    profile = structs.replace(
        Generic.profile, lacks=frozenset({Feature.MASS_CANCEL_REPORT}), cancels_own_session_only=True
    )


def with_an_order(tmp_path: Path, dialect: Generic) -> World:
    """A session at a venue of that dialect, where one order rests."""
    world = World(OsFiles(), generic_config(str(tmp_path)), dialect)
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    return world


def query(venue: str = "generic") -> QueryOrder:
    return QueryOrder(Attempt(7, 9), venue, "BTCUSDT", "1", "7-1", "", 1)


# ---- by hand


def test_an_act_that_there_is_not_and_arguments_that_are_none(world: World) -> None:
    world.ready()
    answer = world.control("dance")
    assert not answer.ok and "set_seq" in answer.text
    assert "do not decode" in world.control("set_seq", next_outbound=-1).text


def test_numbers_are_changed_only_while_logged_out(world: World) -> None:
    world.ready()
    for act in ("set_seq", "reset"):
        answer = world.control(act)
        assert not answer.ok and "only while logged out" in answer.text
    assert not world.control("logon").ok
    assert [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)] == []


def test_numbers_are_not_set_where_each_logon_resets_them(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), sequence_policy=SequencePolicy.RESET))
    world.reachable = False
    world.start()
    answer = world.control("set_seq", next_outbound=9)
    assert not answer.ok and "starts both numbers at 1" in answer.text


def test_a_latch_that_the_disk_keeps_is_not_released(tmp_path: Path) -> None:
    folder = tmp_path / "emergency"
    world = World(OsFiles(), generic_config(str(folder)))
    world.ready()
    world.control("kill")
    folder.rename(tmp_path / "gone")
    answer = world.control("resume", confirm=True)
    assert not answer.ok and "does not take it" in answer.text
    assert world.core.status(world.now)["latched"] and world.core.status(world.now)["latch_failure"]


def test_a_latch_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    world = World(OsFiles(), generic_config(str(blocked / "below")))
    world.ready()
    assert world.core.status(world.now)["latch_failure"]
    world.command(world.new_order(1))
    assert refusals(world) == []


# ---- commands


def test_a_command_for_another_venue_is_refused(world: World) -> None:
    world.ready()
    world.command(world.new_order(1, venue="binance"))
    assert refusals(world) == [Reason.UNKNOWN_ACCOUNT] and world.venue.heard == []


def test_a_halted_session_refuses_everything(world: World) -> None:
    world.venue.next_inbound = 50
    world.start()
    world.advance(30_000)
    assert world.core.status(world.now)["state"] == "halted"
    world.command(world.new_order(1))
    world.command(world.cancel_order(2, "7-1"))
    assert refusals(world) == [Reason.HALTED, Reason.HALTED]


def test_what_the_venue_has_no_message_for_is_refused(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Taciturn())
    world.ready()
    world.command(query())
    assert refusals(world) == [Reason.UNSUPPORTED] and world.venue.heard == []


@pytest.mark.parametrize(
    ("feature", "terms"),
    [
        (Feature.POST_ONLY, {"instructions": "6"}),
        (Feature.MARKET_ORDER, {"ord_type": "1", "price": None}),
        (Feature.IMMEDIATE_OR_CANCEL, {"time_in_force": "3"}),
        (Feature.FILL_OR_KILL, {"time_in_force": "4"}),
    ],
)
def test_what_the_venue_lacks_is_refused_before_it_takes_a_number(
    tmp_path: Path, feature: Feature, terms: dict[str, object]
) -> None:
    class Without(Generic):
        profile = structs.replace(Generic.profile, lacks=frozenset({feature}))

    world = World(OsFiles(), generic_config(str(tmp_path)), Without())
    world.ready()
    world.command(wanting(world.new_order(1), **terms))
    (refused,) = [p for p in world.journal.payloads(Kind.REFUSED) if isinstance(p, Refused)]
    assert (refused.reason, refused.value, refused.limit) == (Reason.UNSUPPORTED, feature.value, "FIX 4.4")
    assert refused.text == f"FIX 4.4 lacks {feature.value}."
    assert world.venue.heard == []
    world.command(world.new_order(2))
    assert [fields[b"35"] for fields in world.venue.heard] == [b"D"]


def test_a_venue_without_a_mass_cancel_is_emptied_order_by_order(tmp_path: Path) -> None:
    world = with_an_order(tmp_path, Taciturn())
    world.control("kill")
    world.advance(200)
    cancel = world.venue.heard[-1]
    assert (cancel[b"35"], cancel[b"41"]) == (b"F", b"7-1")
    name = cancel[b"11"].decode()
    world.venue_says("8", f"37=91|11={name}|41=7-1|17=c1|150=4|39=4|55=BTCUSDT|54=1|14=0|151=0|6=0|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == "clear"


@pytest.mark.parametrize(("ord_status", "kill"), [("2", "clear"), ("4", "clear"), ("8", "cancelling")])
def test_a_cancel_that_comes_too_late_ends_its_order_also_where_no_name_of_that_is_told(
    tmp_path: Path, ord_status: str, kill: str
) -> None:
    """Some venues answer by the request's name alone: the fill itself was lost with an earlier connection."""
    world = with_an_order(tmp_path, Taciturn())
    world.control("kill")
    world.advance(200)
    name = world.venue.heard[-1][b"11"].decode()
    world.venue_says("9", f"11={name}|39={ord_status}|434=1|102=0|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == kill


def test_a_venue_without_a_mass_cancel_is_clear_at_once_where_nothing_is_open(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Taciturn())
    world.ready()
    world.control("kill")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == "clear" and world.venue.heard == []
    assert [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)] == ["kill"]


def test_a_mass_cancel_that_nobody_confirms_is_done_when_the_orders_reports_say_so(tmp_path: Path) -> None:
    world = with_an_order(tmp_path, Mute())
    world.control("kill")
    assert [fields[b"35"] for fields in world.venue.heard[-2:]] == [b"q", b"q"], "both symbols, whatever is believed"
    assert world.core.status(world.now)["kill"] == "cancelling"
    world.venue_says("8", "37=91|11=k|41=7-1|17=c1|150=4|39=4|55=BTCUSDT|54=1|14=0|151=0|6=0|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == "clear"


def test_what_such_a_mass_cancel_leaves_goes_by_id(tmp_path: Path) -> None:
    world = with_an_order(tmp_path, Mute())
    world.control("kill")
    world.advance(1000)
    cancel = world.venue.heard[-1]
    assert (cancel[b"35"], cancel[b"41"]) == (b"F", b"7-1")
    world.venue_says("9", f"37=NONE|11={cancel[b'11'].decode()}|41=7-1|39=8|434=1|102=1|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == "clear"


@pytest.mark.parametrize(("numbers", "kill"), [("go on", "clear"), ("begin at 1", "cancelling")])
def test_where_cancels_find_the_session_s_own_no_such_order_is_the_last_word_within_one_row_of_numbers(
    tmp_path: Path, numbers: str, kill: str
) -> None:
    """The end of the order was told to nobody. What rests since before the numbers began at 1 is not found, either."""
    world = with_an_order(tmp_path, Mute())
    if numbers == "go on":
        world.cut()
    else:
        world.control("logout")
        world.advance(2_500)
        assert world.control("reset").ok and world.control("logon").ok
        world.venue.next_inbound = world.venue.next_outbound = 1
    world.advance(1000)
    world.control("kill")
    world.advance(3000)
    cancel = world.venue.heard[-1]
    assert (cancel[b"35"], cancel[b"41"]) == (b"F", b"7-1")
    world.venue_says("9", f"37=NONE|11={cancel[b'11'].decode()}|41=7-1|39=8|434=1|102=1|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == kill


def test_the_kill_switch_at_kraken_takes_its_business_message_reject_for_the_end_of_an_order_that_nobody_heard_of(
    tmp_path: Path,
) -> None:
    """What a lost connection had open Kraken cancels, and the report of it was lost too."""
    config = generic_config(str(tmp_path), credentials=HmacSecret("key", b64encode(b"secret")))
    world = World(OsFiles(), config, Kraken())
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    world.cut()
    world.advance(VALID_NS // NS_PER_MS + 1000)
    world.control("kill")
    world.advance(1500)
    cancel = world.venue.heard[-1]
    assert (cancel[b"35"], cancel[b"37"]) == (b"F", b"91")
    name = cancel[b"11"].decode()
    world.venue_says("j", f"45=0|58=EOrder:Unknown order|372=F|379={name}|380=101|")
    world.advance(200)
    assert world.core.status(world.now)["kill"] == "clear"


def test_orders_are_cancelled_one_by_one_as_the_venues_rate_allows(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), messages=4, window_ms=10_000), Taciturn())
    world.ready()
    for number in range(6):
        line = f"37=9{number}|11=web-{number}|17=n{number}|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"
        world.venue_says("8", line)
    world.control("kill")
    world.advance(900)
    assert heard(world, 41) == ["web-0"]
    for _ in range(3):
        answer_cancels(world)
        world.advance(10_000)
    assert world.core.status(world.now)["kill"] == "clear"


def test_the_kill_stays_within_the_venues_rate(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), messages=4, window_ms=10_000))
    world.ready()
    world.control("kill")
    world.advance(500)
    sent = [fields for fields in world.venue.wire if fields[b"35"] == b"q"]
    assert 0 < len(sent) <= 2
    assert len(world.venue.wire) <= 4
    world.advance(11_000)
    assert {f[b"55"] for f in world.venue.heard if f[b"35"] == b"q"} == {b"BTCUSDT", b"ETHUSDT"}


# ---- under pressure


def test_a_blocked_connection_gets_its_bytes_when_it_is_writable(world: World) -> None:
    world.ready()
    connection = world.connects[-1]
    world.core.blocked(connection, world.now)
    world.command(world.new_order(1))
    assert world.venue.heard == [] and world.core.status(world.now)["unreleased"] == 1
    world.core.writable(connection, world.now)
    world.settle()
    assert [fields[b"11"] for fields in world.venue.heard] == [b"7-1"]


def test_what_is_said_of_a_connection_that_is_over_changes_nothing(world: World) -> None:
    world.ready()
    old = world.connects[-1]
    world.cut()
    world.advance(5000)
    world.open_gate()
    world.core.blocked(old, world.now)
    world.core.data(old, b"8=FIX.4.4", world.now)
    world.command(world.new_order(1))
    assert [fields[b"11"] for fields in world.venue.heard] == [b"7-1"]
    world.core.blocked(world.connects[-1], world.now)
    world.core.writable(old, world.now)
    world.command(world.new_order(2))
    assert [fields[b"11"] for fields in world.venue.heard] == [b"7-1"]


def test_a_connection_that_closes_takes_nothing_more_and_opens_no_gate(world: World) -> None:
    world.start()
    world.advance(0)
    world.core.blocked(world.connects[-1], world.now)
    world.control("logout")
    world.advance(2_100)
    assert world.core.status(world.now)["state"] == "closing"
    world.open_gate()
    assert world.core.status(world.now)["gate"] == "closed"
    world.command(world.cancel_order(1, "7-9"))
    assert refusals(world) == [Reason.NOT_CONNECTED]
    world.advance(1_100)
    assert world.core.status(world.now)["state"] == "logged_out"


class Deaf(World):
    """A venue whose connections are never made."""

    def perform(self, effect: object) -> None:
        if type(effect).__name__ == "Connect":
            self.connects.append(effect.connection)  # type: ignore[attr-defined]
            return
        super().perform(effect)  # type: ignore[arg-type]


def test_a_connection_that_is_not_made_in_time_is_tried_again(tmp_path: Path) -> None:
    world = Deaf(OsFiles(), generic_config(str(tmp_path)))
    world.start()
    world.advance(9_900)
    assert len(world.connects) == 1
    world.advance(5_000)
    assert len(world.connects) == 2


@pytest.mark.parametrize("connected", [True, False])
def test_a_superseded_session_leaves_the_wire(tmp_path: Path, connected: bool) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)))
    world.reachable = connected
    world.start()
    world.advance(0)
    world.journal.epochs[world.core.name] += 1
    world.advance(10_000)
    world.command(world.cancel_order(1, "7-9"))
    world.advance(2_000)
    assert world.exit is not None and world.exit.status == 1
