"""An application that fails ends neither session nor process, and its message is neither lost from sight nor tried
twice."""

from common.fix.application import Delivery, Reply, business_reject
from common.fix.session_types import Inbound
from tests.common.fix.conftest import MakePlay
from tests.common.fix.harness import LOGON, ORDER, Play
from tests.common.fix.official import case


class Moody:
    """Fails for orders called `bad`, echoes the others."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def logged_on(self) -> None:
        """Nothing to do."""

    def logged_out(self) -> None:
        """Nothing to do."""

    def message(self, inbound: Inbound) -> list[Reply]:
        """Echo or fail."""
        self.seen.append(inbound.msg_seq_num)
        if b"\x0111=bad\x01" in inbound.raw:
            raise RuntimeError("no such book")
        return [Reply("8", b"37=ok\x01")]


def served(play: Play) -> tuple[Delivery, Moody]:
    """A logged-on play with an application behind it."""
    play.connect()
    play.peer(LOGON)
    play.sent.clear()
    application = Moody()
    return Delivery(play.session, application), application


def deliver(play: Play, delivery: Delivery) -> None:
    """Hand on what came in."""
    for effect in play.effects:
        if isinstance(effect, Inbound):
            delivery.deliver(effect, play.now)
    play.effects.clear()
    play._carry_out()


@case("2.r")
def test_a_failure_is_answered_kept_and_not_repeated(make_play: MakePlay) -> None:
    play = make_play()
    delivery, application = served(play)
    bad = ORDER.replace("11=a", "11=bad")
    play.peer(f"35=D|34=2|115=DESK|{bad}", f"35=D|34=3|{ORDER}")
    deliver(play, delivery)
    play.says("35=j|34=2|128=DESK|45=2|58=Application not available|372=D|380=4", "35=8|34=3|37=ok")
    assert application.seen == [2, 3]
    assert delivery.failures == 1
    ((inbound, error),) = delivery.failed
    assert inbound.msg_seq_num == 2 and str(error) == "no such book"
    assert play.is_logged_on() and play.numbers() == (4, 4)


def test_a_business_reject_is_never_answered_by_another(make_play: MakePlay) -> None:
    play = make_play(validate=None)
    delivery, _ = served(play)
    play.peer("35=j|34=2|45=1|372=D|380=4|11=bad")
    deliver(play, delivery)
    play.says()
    assert delivery.failures == 1


def test_rejected_and_session_messages_do_not_reach_the_application(make_play: MakePlay) -> None:
    play = make_play()
    delivery, application = served(play)
    play.peer("35=0|34=2", f"35=D|34=3|{ORDER}|99=x")
    deliver(play, delivery)
    assert application.seen == []


def test_nothing_is_sent_when_the_session_is_over_already(make_play: MakePlay) -> None:
    play = make_play()
    delivery, application = served(play)
    play.peer(f"35=D|34=2|{ORDER}", "35=5|34=3")
    play.sent.clear()
    deliver(play, delivery)
    play.says()
    assert application.seen == [2]


def test_failures_kept_are_bounded(make_play: MakePlay) -> None:
    play = make_play()
    play.connect()
    play.peer(LOGON)
    delivery = Delivery(play.session, Moody(), keep_failed=2)
    for n in range(2, 7):
        play.peer(f"35=D|34={n}|{ORDER.replace('11=a', '11=bad')}")
    deliver(play, delivery)
    assert delivery.failures == 5
    assert [failure.inbound.msg_seq_num for failure in delivery.failed] == [5, 6]


def test_a_business_reject_names_what_it_refuses() -> None:
    reply = business_reject(b"8=FIX.4.4\x019=0\x0135=8\x0134=7\x01128=X\x0110=000\x01", 3, "no\x01way")
    assert reply == Reply("j", b"45=7\x0158=no way\x01372=8\x01380=3\x01", b"115=X\x01")
