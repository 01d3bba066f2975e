"""Hosts in turn, pauses that grow, and the throttle. Invariant of the throttle: no window ever holds more than its
limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.fix.errors import SettingsError
from common.fix.reconnect import Reconnect, ReconnectSettings, Throttle
from common.fix.session_types import DisconnectReason
from common.fix.wire import NS_PER_S

HOSTS = [("one", 1), ("two", 2), ("three", 3)]


def test_hosts_take_turns_until_one_logs_on() -> None:
    reconnect = Reconnect(HOSTS)
    dialled = []
    for _ in range(5):
        dialled.append(reconnect.host[0])
        # The half-dead host lets us connect and then refuses: it is passed over all the same.
        reconnect.ended(DisconnectReason.LOGON_TIMEOUT, 0, 0.0)
    assert dialled == ["one", "two", "three", "one", "two"]


def test_after_a_logon_the_first_host_comes_first_again() -> None:
    reconnect = Reconnect(HOSTS)
    reconnect.ended(None, 0, 0.0)
    assert reconnect.host == ("two", 2)
    reconnect.logged_on()
    assert reconnect.host == ("two", 2)
    reconnect.ended(DisconnectReason.HEARTBEAT_TIMEOUT, 0, 0.0)
    assert reconnect.host == ("one", 1)


def test_pauses_grow_a_round_at_a_time_up_to_the_longest() -> None:
    reconnect = Reconnect(HOSTS[:2], ReconnectSettings(first_pause_s=1, longest_pause_s=5, jitter=0.0))
    pauses = []
    for _ in range(8):
        reconnect.ended(None, 0, 0.5)
        pauses.append(reconnect.next_attempt_ns / NS_PER_S)
    assert pauses == [1, 1, 2, 2, 4, 4, 5, 5]
    reconnect.logged_on()
    reconnect.ended(None, 0, 0.5)
    assert reconnect.next_attempt_ns == NS_PER_S


def test_jitter_only_lengthens() -> None:
    reconnect = Reconnect(HOSTS, ReconnectSettings(first_pause_s=1, jitter=0.5))
    reconnect.ended(None, 0, 1.0)
    assert reconnect.next_attempt_ns == 1.5 * NS_PER_S
    assert not reconnect.may_dial(int(1.4 * NS_PER_S))
    assert reconnect.may_dial(int(1.5 * NS_PER_S))


def test_a_number_too_low_again_and_again_waits_for_a_human() -> None:
    reconnect = Reconnect(HOSTS)
    reconnect.ended(DisconnectReason.SEQUENCE_TOO_LOW, 0, 0.0)
    reconnect.ended(DisconnectReason.HEARTBEAT_TIMEOUT, 0, 0.0)
    reconnect.ended(DisconnectReason.SEQUENCE_TOO_LOW, 0, 0.0)
    assert not reconnect.needs_human
    reconnect.ended(DisconnectReason.SEQUENCE_TOO_LOW, 0, 0.0)
    assert reconnect.needs_human and not reconnect.may_dial(10**18)
    reconnect.resume()
    assert reconnect.may_dial(0)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError):
        Reconnect([])
    with pytest.raises(SettingsError):
        ReconnectSettings(first_pause_s=0)
    with pytest.raises(SettingsError):
        Throttle(0, 1)


@settings(max_examples=40)
@given(st.integers(1, 5), st.lists(st.integers(0, 400_000_000), max_size=60))
def test_no_window_holds_more_than_the_limit(limit: int, gaps_ns: list[int]) -> None:
    throttle = Throttle(limit, 1.0)
    at, sent = 0, []
    for gap in gaps_ns:
        at += gap
        free = throttle.free_at_ns(at)
        assert free >= at
        assert throttle.spend(at) is (free == at)
        if free == at:
            sent.append(at)
    for first in sent:
        assert sum(first <= one < first + NS_PER_S for one in sent) <= limit
