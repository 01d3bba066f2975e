"""Invariant: whatever comes over the control link is answered, and what is none of its messages is counted."""

import logging
from collections.abc import Callable

import orjson
import pytest

from common.config import Config
from common.messages import ControlRequest, encode
from services.desk.__main__ import Desk, owner_name
from services.desk.users import is_user_name

NO_TABLES = (encode(ControlRequest("status", b"[]")), encode(ControlRequest("status", b"{")))
GARBAGE = (b"", b"\xff\xfe", b"x" * 100_000, *NO_TABLES)


@pytest.fixture
def desk(config_with: Callable[..., Config]) -> Desk:
    return Desk(config_with())


def test_garbage_is_answered_and_counted(desk: Desk) -> None:
    for data in GARBAGE:
        assert not desk.act(data).ok
    told = orjson.loads(desk.act(encode(ControlRequest("status"))).detail)
    assert told["garbage"] == {"control": len(GARBAGE)} and told["state"] == "starting"
    assert not desk.act(encode(ControlRequest("kill"))).ok
    logging.shutdown()


def test_who_runs_the_desk_has_a_name_that_a_strategy_takes() -> None:
    assert is_user_name(owner_name())
