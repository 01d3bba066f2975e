"""The template's oddities by their numbers in its README, each met by a client that knows nothing of them."""

from pathlib import Path

import pytest

from common.fix.session import Session, SessionSettings
from common.messages import NewOrder
from common.venues._template.venue import PROFILE
from common.venues.venue import Feature, missing_feature
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import BothSides


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    return BothSides("_template", tmp_path)


def test_01_a_logon_has_a_name_and_a_password(sides: BothSides) -> None:
    us = sides.identity()
    plain = SessionSettings(sender_comp_id=us.sender_comp_id, target_comp_id=us.target_comp_id, initiator=True)
    client = Client(sides.world, session=Session(plain))
    assert not client.session.logged_on and not client.raw, "closed without a word"
    assert sides.desk().logged_on


@pytest.mark.parametrize(
    ("more", "terms", "feature"),
    [("18=6|59=1|", {"instructions": "6"}, Feature.POST_ONLY), ("59=4|", {"time_in_force": "4"}, Feature.FILL_OR_KILL)],
)
def test_02_neither_post_only_nor_fill_or_kill(
    sides: BothSides, more: str, terms: dict[str, object], feature: Feature
) -> None:
    client = sides.desk().client
    order = f"11=x|55={sides.symbol}|54=1|40=2|38={sides.qty:f}|44={sides.price:f}|"
    (refused,) = client.send("D", order + more)
    assert refused[35] == "3"
    command: NewOrder = samples.new(**terms)
    assert missing_feature(PROFILE, command) is feature, "ours is not even sent"
