"""Market data logs on with the key that the venue's file has for it, and with a new one at its next logon."""

from pathlib import Path

from common.fix.session import Session
from common.venues.dialect import Identity
from common.venues.key_in_use import KeyInUse, fingerprint
from services.marketdata.__main__ import market_data_config
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import NAME, BothSides


def test_a_new_key_for_prices_is_taken_by_the_next_logon(tmp_path: Path) -> None:
    sides = BothSides("coinbaseprime", tmp_path)
    settings = market_data_config(NAME, sides.config, 0)
    assert settings.credentials == sides.market_data_credentials != sides.credentials
    key = KeyInUse(settings.credentials, settings.read_credentials)
    own = sides.venue.market_data_credentials
    assert own is not None
    secret = sides.config.paths.resolve(own.secret_file)
    former, new = secret.read_bytes(), b"another"
    secret.write_bytes(new)
    assert logs_on(sides, key) is False, "the simulated venue knows the former one"
    assert key.status["key"] == fingerprint(sides.market_data_credentials)
    secret.write_bytes(former)
    assert logs_on(sides, key) is True
    secret.unlink()
    assert logs_on(sides, key) is True and "market_data_secret" in str(key.status["key_failure"])


def logs_on(sides: BothSides, key: KeyInUse) -> bool:
    """Whether the venue lets in a market data session that is made with the key."""
    fix = sides.venue.connections["market_data"]
    identity = Identity("DESK", fix.target_comp_id, fix.heart_bt_int_s)
    settings = key.make(lambda credentials: sides.dialect.market_data_settings(identity, credentials))
    client = Client(sides.world, listener="market_data", session=Session(settings))
    is_in = client.session.logged_on
    if is_in:
        client.session.logout("", sides.world.now)
    sides.world.pass_time(1)
    return is_in
