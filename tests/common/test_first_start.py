"""The first start makes what the simulated venues need, privately and once; for a real venue it makes nothing."""

import datetime
import shutil
import socket
import ssl
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from common.config import CHECKOUT, SERVED_VENUES, Config, ConfigError, CredentialsConfig, live_sentence, load
from common.first_start import prepare
from common.key_files import read_credentials
from common.keys import CERTIFICATE_LIFE, server_names
from common.venues.credentials import KINDS
from common.venues.venue import CREDENTIAL_FILES, CredentialKind

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The project's configuration with its state in a temporary folder."""
    return load(environ={"FIXRING_VAR": str(tmp_path / "var")})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_everything_is_made_once_and_kept(config: Config) -> None:
    made = prepare(config, NOW)
    assert len(made) == 4
    first = contents(config.paths.var)
    assert prepare(config, NOW) == []
    assert contents(config.paths.var) == first


def test_nobody_else_can_read_any_of_it(config: Config) -> None:
    prepare(config, NOW)
    for path in (config.paths.var, *config.paths.var.rglob("*")):
        if path.is_dir() or path.is_relative_to(config.paths.keys):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_an_open_folder_is_closed(config: Config) -> None:
    config.paths.keys.mkdir(parents=True, mode=0o755)
    prepare(config, NOW)
    assert stat.S_IMODE(config.paths.keys.stat().st_mode) == 0o700


def test_a_client_that_verifies_everything_accepts_the_certificate(config: Config) -> None:
    prepare(config, NOW)
    names = server_names(config.venues["binance"])
    assert len(names) == 2
    for name in names:
        assert handshake(config, name) == ""
    assert "mismatch" in handshake(config, "fix-oe.binance.com")


def handshake(config: Config, name: str) -> str:
    """Connect over TLS and return what the client has against the server, "" for nothing."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(config.paths.server_certificate("binance"), config.paths.server_key("binance"))
    client = ssl.create_default_context(cafile=str(config.paths.keys / "ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(left, server_side=True).close()
        except OSError:
            left.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(right, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return str(error)
    finally:
        right.close()
        thread.join()
    return ""


@pytest.mark.parametrize("spoil", ["names", "key", "age", "gone"])
def test_a_certificate_that_does_not_serve_any_more_is_made_anew_by_the_same_ca(config: Config, spoil: str) -> None:
    prepare(config, NOW)
    ca = (config.paths.keys / "ca.pem").read_bytes()
    now = NOW
    if spoil == "names":
        environ = {
            "FIXRING_VAR": str(config.paths.var),
            "FIXRING__BINANCE__FIX__TLS__SERVER_NAME": "other.binance.simulated",
        }
        config = load(environ=environ)
    elif spoil == "key":
        shutil.copy(config.paths.keys / "ca.key", config.paths.server_key("binance"))
    elif spoil == "age":
        now = NOW + CERTIFICATE_LIFE - datetime.timedelta(days=1)
    else:
        config.paths.server_certificate("binance").unlink()
    made = prepare(config, now)
    assert [line.split(":")[0] for line in made] == ["certificate of exchange@binance"]
    assert (config.paths.keys / "ca.pem").read_bytes() == ca


def test_a_real_venue_s_keys_are_asked_for_never_made(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))
    (folder / "generic.toml").unlink()
    for file in (folder / "fixring.toml", folder / "binance.toml"):
        text = file.read_text().replace('["binance", "generic"]', '["binance"]')
        file.write_text(text.replace('environment = "simulated"', 'environment = "testnet"'))
    config = load(folder, {"FIXRING_VAR": str(tmp_path / "var")})
    with pytest.raises(ConfigError, match=r"credentials.api_key_file: .*no such file; docs/live.md"):
        prepare(config, NOW)
    assert not any(config.paths.keys.iterdir())


def test_the_key_for_prices_is_made_where_the_venue_is_simulated_and_asked_for_where_it_is_not(tmp_path: Path) -> None:
    environ = {"FIXRING_VAR": str(tmp_path / "var"), SERVED_VENUES: "coinbaseprime"}
    made = prepare(load(environ=environ), NOW)
    ours = [line for line in made if " of coinbaseprime's market data: " in line]
    assert len(ours) == 3 and all("/market_data_" in line for line in ours)
    folder = Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))
    for file, further in ((folder / "fixring.toml", ""), (folder / "coinbaseprime.toml", "\nallow_plain_text = true")):
        live = f'environment = "live"{further}'
        file.write_text(file.read_text().replace('environment = "simulated"', live))
    sentence = live_sentence("coinbaseprime")
    config = load(folder, {**environ, "FIXRING__COINBASEPRIME__LIVE_CONFIRMATION": sentence})
    (tmp_path / "var/keys/coinbaseprime/market_data_secret").unlink()
    with pytest.raises(ConfigError, match=r"market_data_credentials.secret_file: .*no such file; docs/live.md"):
        prepare(config, NOW)


@pytest.mark.parametrize("kind", list(CredentialKind))
def test_each_kind_of_credentials_is_made_once_and_can_be_read(tmp_path: Path, kind: CredentialKind) -> None:
    config = load(environ={"FIXRING_VAR": str(tmp_path / "var")})
    section = CredentialsConfig(kind=kind, **{name: f"keys/acme/{name}" for name in CREDENTIAL_FILES[kind]})
    venue = structs.replace(config.venues["binance"], name="acme", credentials=section)
    config = replace(config, venues={"acme": venue})
    made = prepare(config, NOW)
    assert len([line for line in made if " of acme: " in line]) == len(section.files)
    assert prepare(config, NOW) == []
    credentials = read_credentials(venue.credentials, config)
    assert credentials is not None and type(credentials) is KINDS[kind]
    assert repr(credentials) == f"{KINDS[kind].__name__}(...)"
    values = [getattr(credentials, name) for name in credentials.__struct_fields__]
    assert all(values) and len(set(values)) == len(values)
    config.paths.resolve(next(iter(section.files.values()))).unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_credentials(venue.credentials, config)
