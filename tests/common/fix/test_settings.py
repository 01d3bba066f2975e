"""Settings of a FIX session that cannot be: each is refused with the name of what is wrong."""

from typing import Any

import pytest

from common.fix.errors import SettingsError
from common.fix.session_types import SessionSettings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"timestamp_digits": 4}, "timestamp_digits"),
        ({"begin_string": "FIXT.1.1"}, "default_appl_ver_id"),
        ({"test_request_multiplier": 0.5}, "test_request_multiplier"),
        ({"test_request_multiplier": 3.0, "disconnect_multiplier": 2.0}, "disconnect_multiplier"),
        ({"begin_string": "FIXT.1.1", "default_appl_ver_id": "banana"}, "default_appl_ver_id"),
        ({"heart_bt_int_s": 3601}, "heart_bt_int_s"),
        ({"heart_bt_int_s": -1}, "heart_bt_int_s"),
        ({"max_pending_messages": -1}, "max_pending_messages"),
        ({"resend_chunk": -1}, "resend_chunk"),
        ({"header_fields": b"57=X"}, "header_fields"),
        ({"application_fields": b"1=X"}, "application_fields"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], named: str) -> None:
    good: dict[str, Any] = {"sender_comp_id": "A", "target_comp_id": "B", "initiator": True}
    SessionSettings(**good)
    with pytest.raises(SettingsError, match=named):
        SessionSettings(**{**good, **change})
