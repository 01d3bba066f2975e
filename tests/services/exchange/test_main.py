"""From the configuration as it is shipped to an exchange's settings."""

import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.config import SERVED_VENUES, Config, ConfigError, load
from common.first_start import prepare
from services.exchange.__main__ import exchange_settings


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = load(environ={"FIXRING_VAR": str(tmp_path)})
    prepare(config, datetime.datetime.now(datetime.UTC))
    return config


def test_the_shipped_venues_become_exchanges(config: Config) -> None:
    generic, binance = exchange_settings("generic", config), exchange_settings("binance", config)
    assert generic.parties[0].comp_id == config.venues["generic"].fix.sender_comp_id
    assert config.venues["generic"].market_data is not None
    assert generic.market_data_parties == (config.venues["generic"].market_data.sender_comp_id,)
    assert [i.symbol for i in generic.instruments] == list(config.venues["generic"].instruments)
    assert binance.comp_id == "SPOT" and len(binance.keys[0].public_key) == 32
    assert len(binance.keys[0].api_key) == 64


def test_what_is_no_simulated_venue_is_refused(config: Config) -> None:
    with pytest.raises(ConfigError, match="no enabled venue called 'nasdaq'"):
        exchange_settings("nasdaq", config)


def test_a_new_private_key_is_the_one_that_the_exchange_checks_by_and_one_of_no_use_is_named(config: Config) -> None:
    file = config.paths.keys / "binance/private_key.pem"
    key = Ed25519PrivateKey.generate()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert exchange_settings("binance", config).keys[0].public_key == key.public_key().public_bytes_raw()
    file.write_bytes(b"no key")
    with pytest.raises(ConfigError, match=r"the private key of binance is of no use: .*docs/venues.md"):
        exchange_settings("binance", config)


@pytest.mark.parametrize(("venue", "has_own"), [("coinbaseprime", True), ("coinbase", False)])
def test_a_key_for_prices_is_checked_at_their_listener_alone(tmp_path: Path, venue: str, has_own: bool) -> None:
    config = load(environ={"FIXRING_VAR": str(tmp_path), SERVED_VENUES: venue})
    prepare(config, datetime.datetime.now(datetime.UTC))
    settings = exchange_settings(venue, config)
    assert len(settings.keys) == 1 + has_own
    for_orders, for_prices = settings.keys_for("fix"), settings.keys_for("market_data")
    assert settings.keys_for("rest") == settings.keys_for("drop_copy") == for_orders
    assert (for_orders != for_prices) is has_own and len(for_orders) == len(for_prices) == 1


def test_where_the_key_is_the_name_prices_are_for_the_name_of_their_own_key(tmp_path: Path) -> None:
    table = {f"{part}_FILE": f"keys/coinbase/md_{part.lower()}" for part in ("API_KEY", "SECRET", "PASSPHRASE")}
    own = {f"FIXRING__COINBASE__MARKET_DATA_CREDENTIALS__{key}": value for key, value in table.items()}
    config = load(environ={"FIXRING_VAR": str(tmp_path), SERVED_VENUES: "coinbase", **own})
    prepare(config, datetime.datetime.now(datetime.UTC))
    settings = exchange_settings("coinbase", config)
    name = (tmp_path / "keys/coinbase/md_api_key").read_text()
    assert settings.market_data_parties == (name,)
    assert [party.comp_id for party in settings.parties] == [(tmp_path / "keys/coinbase/api_key").read_text()]
