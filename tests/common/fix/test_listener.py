"""The acceptor's front door: a session is touched by the right Logon(A) only."""

import pytest

from common.fix.listener import Caller, Identity, Refusal, allow_list
from common.fix.session import peek_logon
from common.fix.session_types import SessionSettings
from common.fix.wire import NS_PER_S, encode
from tests.common.fix.official import case

LOGON = encode(b"FIX.4.4", b"35=A\x0134=1\x0149=THEM\x0156=US\x0198=0\x01108=30\x01")
IDENTITY = Identity("FIX.4.4", "US", "THEM")


@case("1S.a", "1S.b")
def test_a_logon_names_its_session_once_it_is_whole() -> None:
    caller = Caller(0)
    for at in range(len(LOGON)):
        assert caller.identity is None
        assert caller.feed(LOGON[at : at + 1]) is None
    assert caller.identity == IDENTITY
    assert caller.data == LOGON
    assert Identity.of(SessionSettings(sender_comp_id="US", target_comp_id="THEM", initiator=False)) == IDENTITY


@case("2S", "1S.c")
@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (encode(b"FIX.4.4", b"35=0\x0134=1\x0149=THEM\x0156=US\x01"), Refusal.NOT_LOGON),
        (encode(b"FIX.4.4", b"35=A\x0134=1\x0156=US\x01"), Refusal.NOT_LOGON),
        (encode(b"FIX.4.4", b"35=A\x0134=1\x01nonsense\x01"), Refusal.NOT_LOGON),
        (b"GET / HTTP/1.1\r\n", Refusal.GARBLED),
        (LOGON[:-4] + b"999\x01", Refusal.GARBLED),
        (b"8=FIX.4.4\x019=99999999\x0135=A\x01", Refusal.GARBLED),
    ],
)
def test_anything_else_is_turned_away(data: bytes, refusal: Refusal) -> None:
    assert Caller(0).feed(data) is refusal


@case("logon.time")
def test_a_caller_has_a_deadline() -> None:
    assert Caller(7, logon_timeout_s=10).deadline_ns == 7 + 10 * NS_PER_S


def test_peek_logon_gives_the_peers_view() -> None:
    assert peek_logon(LOGON) == ("FIX.4.4", "THEM", "US")
    assert peek_logon(b"nonsense") is None


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "8.8.8.8", True),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8", "::1"], "::1", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["10.0.0.0/8"], "not an address", False),
    ],
)
def test_source_addresses(networks: list[str], address: str, allowed: bool) -> None:
    assert allow_list(networks)(address) is allowed


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        allow_list(["nowhere"])
