"""A configuration that loads is one that can run; anything else is refused with file, key and mend."""

import shutil
import tomllib
from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from common.alerts import WatchKind
from common.config import (
    CHECKOUT,
    ConfigError,
    CredentialsConfig,
    Durability,
    Environment,
    Kind,
    SequencePolicy,
    begin_serving,
    keys_of,
    live_sentence,
    load,
)
from common.contracts import Contract, InstrumentKind
from common.fix.schedule import Schedule
from common.key_files import logs_on_as
from common.venues.credentials import HmacPassphrase
from common.venues.registry import find_profile
from common.venues.venue import CREDENTIAL_FILES, CredentialKind

HMAC = '[credentials]\nkind = "hmac"\napi_key_file = "a"\nsecret_file = "b"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the project's own configuration, to be spoilt."""
    return Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refusal(folder: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, environ)
    return str(caught.value)


def test_the_project_s_own_configuration_loads() -> None:
    config = load(environ={})
    assert set(config.venues) == {"binance", "generic"}
    assert config.environment is Environment.SIMULATED
    assert config.stack.journal.durability is Durability.DISK
    assert config.venues["generic"].fix.sequence_policy is SequencePolicy.RESEND
    assert config.venues["binance"].instruments["BTCUSDT"].tick_size == Decimal("0.01")
    assert config.venues["binance"].instruments["BTCUSDT"].symbol == "BTCUSDT"
    assert config.venues["binance"].name == "binance"


def test_money_is_decimal_even_where_the_file_writes_a_number(folder: Path) -> None:
    replace(folder / "generic.toml", "[simulated]", "[instruments.BTCUSDT]\ntick_size = 0.1\n[simulated]")
    tick_size = load(folder, {}).venues["generic"].instruments["BTCUSDT"].tick_size
    assert tick_size == Decimal("0.1")
    assert isinstance(tick_size, Decimal)


def test_one_variable_switches_a_venue_off_whoever_names_it() -> None:
    config = load(environ={"FIXRING__BINANCE__ENABLED": "false", "FIXRING__STRATEGIES__SIGNALS__VENUES": '["binance"]'})
    assert set(config.venues) == {"generic"}
    assert set(config.strategies) == {"maker"}, "it goes on at the other; one that has none left does not run"


def test_a_start_serves_what_it_is_told_to_and_who_asks_goes_by_it(folder: Path, tmp_path: Path) -> None:
    own = {"FIXRING_VAR": str(tmp_path / "var")}
    told = {**own, "FIXRING__STACK__VENUES": "generic"}
    begin_serving(told)
    for environ in (own, told):
        config = load(folder, environ)
        assert set(config.venues) == {"generic"}
        assert config.strategies["maker"].venues == ["generic"], "one that names no venue trades at all that are served"
    assert set(load(folder, own, before_start=True).venues) == {"binance", "generic"}
    begin_serving(own)
    assert set(load(folder, own).venues) == {"binance", "generic"}
    for text in ("binance, generic", '["binance", "generic"]', ""):
        chosen = load(folder, {**own, "FIXRING__STACK__VENUES": text}).venues
        assert {"binance", "generic"} <= set(chosen)


def test_a_strategy_trades_its_symbols_where_they_are_and_runs_where_one_is(folder: Path) -> None:
    replace(folder / "generic.toml", 'on_stop = "cancel"', 'on_stop = "cancel"\nsymbols = ["ETHUSDT"]')
    maker = (folder / "fixring.toml").read_text().partition("[strategies.maker]")[2]
    symbols = maker[maker.index("symbols = [") : maker.index("]\n") + 1]
    replace(folder / "fixring.toml", symbols, 'symbols = ["BTCUSDT"]')
    assert set(load(folder, {}).strategies) == {"maker", "signals"}
    assert set(load(folder, {"FIXRING__STACK__VENUES": "generic"}).strategies) == {"signals"}


def test_no_two_venues_of_the_project_share_a_port() -> None:
    assert len(load(environ={"FIXRING__STACK__VENUES": ""}).venues) >= 2, "loading all of them has checked it"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "fixring.toml",
            "[journal]",
            "[journal]\nspeed = 1",
            "fixring.toml: journal: Object contains unknown field `speed`",
        ),
        ("fixring.toml", "[money]", '[replication]\nmode = "async"\n[money]', "set `servers` to where NATS is"),
        ("fixring.toml", "[money]", '[replication]\nservers = ["nats://10.0.0.5:4222"]\n[money]', "set `ca`"),
        ("fixring.toml", "[money]", '[replication]\nservers = ["tls://127.0.0.1:4222"]\n[money]', "belong together"),
        ("fixring.toml", "[money]", '[replication]\nservers = ["nats://me:pw@localhost:1"]\n[money]', "no password"),
        (
            "fixring.toml", "[money]", '[replication]\nmode = "quorum"\nservers = ["nats://[::1]:1"]\n[money]',
            "three `replicas` at least, and the `monitors` of each",
        ),
        ("fixring.toml", "[money]", '[replication]\nmonitors = ["10.0.0.5:8222"]\n[money]', "write http://HOST:PORT"),
        ("fixring.toml", "[money]", '[replication]\nkey = "keys/nats.key"\n[money]', "set both, or none"),
        ("fixring.toml", "ttl_ms = 1000", "ttl_ms = 1001", "fixring.toml: orders.ttl_ms: Expected `int` <= 1000"),
        (
            "fixring.toml",
            'max_order_qty = "5"',
            'max_order_qty = "-5"',
            "risk.symbols.BTCUSDT: `max_order_qty` must be above 0",
        ),
        ("fixring.toml", 'max_order_qty = "5"', 'max_order_qty = "NaN"', "`max_order_qty` must be above 0"),
        ("fixring.toml", 'durability = "disk"', 'durability = "hope"', "journal.durability: Invalid enum value 'hope'"),
        ("fixring.toml", "reserve_bytes = 134_217_728", "reserve_bytes = 536_870_912", "`reserve_bytes` must be less"),
        ("fixring.toml", "[orders]", "[orders", "fixring.toml: not TOML"),
        (
            "fixring.toml",
            'MarketMaker"',
            'MarketMaker"\nvenues = ["acme"]',
            "strategies.maker.venues: acme is not known",
        ),
        (
            "fixring.toml",
            'venues = ["binance", "generic"]',
            'venues = ["acme"]',
            "stack.venues (FIXRING__STACK__VENUES, scripts/start --venues): acme is not known; there is binance",
        ),
        (
            "fixring.toml",
            'symbols = ["BTCUSDT", "ETHUSDT"]',
            'symbols = ["XRPUSDT"]',
            "XRPUSDT is no instrument of binance or ",
        ),
        ("fixring.toml", "[risk.symbols.ETHUSDT]", "[risk.symbols.SOLUSDT]", "risk.symbols.ETHUSDT: no limits"),
        ("fixring.toml", "[strategies.maker]", "[strategies.Maker]", "strategies.Maker: a strategy's name is"),
        ("generic.toml", "port = 9500", "port = 95000", "generic.toml: fix.port: Expected `int` <= 65535"),
        ("generic.toml", "port = 9500", "port = 9600", "port 9600 is taken by binance fix.port"),
        ("generic.toml", 'sender_comp_id = "FIXRING"\n', "", "fix: set one of `sender_comp_id` and `comp_id_prefix`"),
        *(
            (
                "generic.toml",
                "port = 9500",
                f"port = 9500\nfallback_hosts = {hosts}",
                f"generic.toml: fix: `fallback_hosts` {why}",
            )
            for hosts, why in (
                ('["two"]', "holds"),
                ('["two:0"]', "holds"),
                ('["two:95000"]', "holds"),
                ('["two :9500"]', "holds"),
                ('["::1:9500"]', "holds"),
                ('["two:9500", "two:9500"]', "names a host twice"),
                ('["127.0.0.1:9500"]', "names a host twice"),
            )
        ),
        ("generic.toml", "port = 9500", "port = 9500\nfallback_hosts = [7]", "fix.fallback_hosts[0]: Expected `str`"),
        *(
            (
                "generic.toml",
                f"[{session}]",
                f'[{session}]\nschedule = {{ zone = "{zone}", start = "{start}", end = "23:55"{more} }}',
                f"generic.toml: {why}",
            )
            for session, zone, start, more, why in (
                ("fix", "Mars/Base", "00:05", "", "fix.schedule: `zone` must name a time zone"),
                ("fix", "America", "00:05", "", "fix.schedule: `zone` must name a time zone"),
                ("fix", "../UTC", "00:05", "", "fix.schedule: `zone` must name a time zone"),
                ("fix", "UTC", "24:00", "", "fix.schedule.start: Expected `str` matching"),
                ("fix", "UTC", "00:05", ', days = ["monday"]', "fix.schedule.days[0]: Invalid enum value"),
                ("fix", "UTC", "00:05", ', start_day = "mon"', "fix.schedule: a weekly schedule has both"),
                ("fix", "UTC", "00:05", ', days = ["mon"], start_day = "mon"', "fix.schedule: `days` is for a daily"),
                ("fix", "UTC", "00:05", ", open = true", "fix.schedule: Object contains unknown field `open`"),
                ("market_data", "UTC", "00:05", ", reset_numbers = true", "market_data: `schedule.reset_numbers` is"),
            )
        ),
        (
            "generic.toml",
            "[simulated]",
            '[instruments.BTCUSDT]\ntick_size = "0"\n[simulated]',
            "generic.toml: instruments.BTCUSDT: `tick_size` must be above 0",
        ),
        (
            "generic.toml",
            "[simulated]",
            '[instruments.ETHUSDT]\nsymbol = "X"\n[simulated]',
            "instruments.ETHUSDT.symbol: the table's name",
        ),
        (
            "generic.toml",
            'dialect = "generic"',
            'dialect = "generic"\nname = "x"',
            "name: a venue's name is its file's",
        ),
        (
            "generic.toml",
            "[simulated]",
            '[instruments.XRPUSDT]\nbase = "XRP"\nquote = "USDT"\ntick_size = 1\nlot_size = 1\nmin_qty = 1\n'
            "max_qty = 9\nmin_notional = 1\n[simulated]",
            "generic.toml: `simulated.prices` has no price for XRPUSDT",
        ),
        ("generic.toml", "[fix]", 'symbols = ["XRPUSDT"]\n[fix]', "symbols: XRPUSDT is no instrument of generic"),
        ("generic.toml", 'dialect = "generic"', 'dialect = "nasdaq"', "generic.toml: dialect 'nasdaq': there is"),
        ("generic.toml", 'dialect = "generic"\n', "", "generic.toml: dialect: it names the venue's folder"),
        ("generic.toml", "[simulated]", '[rest]\nurl = "http://x:1/"\n[simulated]', "generic.toml: [rest] needs the"),
        (
            "generic.toml",
            "[simulated]",
            f'[rest]\nurl = "http://x:1/"\n{HMAC}\n[simulated]',
            "generic.toml: rest: FIX 4.4 has no REST side here",
        ),
        (
            "generic.toml",
            "[simulated]",
            f"{HMAC}\n[simulated]",
            'generic.toml: credentials: FIX 4.4 takes none, and kind = "hmac" is given',
        ),
        (
            "binance.toml",
            "[credentials]",
            '[credentials]\nkind = "rsa"',
            'binance.toml: credentials: Binance Spot takes kind = "ed25519", and kind = "rsa" is given',
        ),
        ("binance.toml", "[credentials]", '[credentials]\nkind = "pgp"', "credentials.kind: Invalid enum value 'pgp'"),
        ("binance.toml", "[credentials]", '[credentials]\nkind = "hmac"', 'kind = "hmac" needs `secret_file`'),
        (
            "binance.toml",
            "[credentials]",
            '[credentials]\nsecret_file = "x"',
            'binance.toml: credentials: kind = "ed25519" has no `secret_file`',
        ),
        (
            "binance.toml",
            'environment = "simulated"',
            'environment = "testnet"',
            "a stack has one, with a journal of its own",
        ),
        ("binance.toml", "[credentials]", "[other]", "unknown field `other`"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(folder: Path, file: str, old: str, new: str, expected: str) -> None:
    replace(folder / file, old, new)
    text = refusal(folder)
    assert expected in text
    assert str(folder) in text


def test_a_desk_s_file_lies_over_the_venue_s_own_and_the_environment_over_both(folder: Path) -> None:
    file = folder / "generic.toml"
    own = tomllib.loads((CHECKOUT / "common/venues/generic/venue.toml").read_text())
    fix = load(folder, {}).venues["generic"].fix
    assert fix.heart_bt_int_s == own["fix"]["heart_bt_int_s"] == 10
    assert fix.reconnect_max_ms == own["environments"]["simulated"]["fix"]["reconnect_max_ms"] == 1000
    replace(file, "[fix]", "[fix]\nheart_bt_int_s = 11\nlimits = { messages = 7 }")
    fix = load(folder, {}).venues["generic"].fix
    assert (fix.heart_bt_int_s, fix.limits.messages, fix.limits.window_ms) == (11, 7, 1000)
    assert load(folder, {"FIXRING__GENERIC__FIX__HEART_BT_INT_S": "12"}).venues["generic"].fix.heart_bt_int_s == 12


def test_the_environment_chooses_what_of_the_venue_s_file_holds(folder: Path) -> None:
    (folder / "generic.toml").unlink()
    environ = {
        "FIXRING__STACK__VENUES": "binance",
        "FIXRING__BINANCE__ENVIRONMENT": "testnet",
        "FIXRING__BINANCE__INSTRUMENTS__BTCUSDT__MIN_NOTIONAL": "10",
    }
    venue = load(folder, environ).venues["binance"]
    assert venue.fix.host == "fix-oe.testnet.binance.vision" and venue.fix.tls is not None and venue.fix.tls.ca == ""
    assert venue.instruments["BTCUSDT"].min_notional == 10, "a key that stands in the venue's file only"


def test_what_is_wrong_in_the_venue_s_own_file_is_named_with_that_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(shutil.copytree(CHECKOUT / "common/venues/generic", tmp_path / "desk_of_a_test" / "acme"))
    replace(package / "venue.toml", "messages = 20_000", "messages = 0")
    monkeypatch.syspath_prepend(tmp_path)
    replace(folder / "generic.toml", 'dialect = "generic"', 'dialect = "desk_of_a_test.acme"')
    assert refusal(folder) == f"{package}/venue.toml: fix.limits.messages: Expected `int` >= 1"
    replace(package / "venue.toml", "messages = 0", "messages = 9")
    assert load(folder, {}).venues["generic"].fix.limits.messages == 9
    replace(package / "venue.toml", "[fix]", "[fix")
    assert refusal(folder).startswith(f"{package}/venue.toml: not TOML")


def test_only_what_a_desk_trades_is_an_instrument(folder: Path) -> None:
    replace(folder / "generic.toml", "[fix]", 'symbols = ["ETHUSDT", "BTCUSDT"]\n[fix]')
    assert list(load(folder, {}).venues["generic"].instruments) == ["ETHUSDT", "BTCUSDT"]


@pytest.mark.parametrize("kind", list(CredentialKind))
def test_each_kind_of_credentials_has_its_own_files(folder: Path, kind: CredentialKind) -> None:
    files = {name: f"keys/{name}" for name in CREDENTIAL_FILES[kind]}
    section = CredentialsConfig(kind=kind, **files)
    assert section.files == files
    for name in files:
        with pytest.raises(ValueError, match=f'kind = "{kind}" needs `{name}`'):
            CredentialsConfig(kind=kind, **{**files, name: ""})


def test_live_needs_a_sentence_in_the_file(folder: Path) -> None:
    (folder / "generic.toml").unlink()
    stack = folder / "fixring.toml"
    stack.write_text(stack.read_text().replace('["binance", "generic"]', '["binance"]'))
    replace(folder / "binance.toml", 'environment = "simulated"', 'environment = "live"')
    assert live_sentence("binance") in refusal(folder)
    replace(folder / "binance.toml", 'on_stop = "cancel"', f'live_confirmation = "{live_sentence("binance")}"')
    assert "rest: not encrypted" in refusal(folder)
    assert load(folder, {"FIXRING__BINANCE__ALLOW_PLAIN_TEXT": "true"}).environment is Environment.LIVE
    replace(folder / "binance.toml", "http://", "https://")
    assert load(folder, {}).environment is Environment.LIVE


@pytest.mark.parametrize("value", ["0.0000000000000000001", "1E+18", "1E-30"])
def test_a_number_that_nobody_can_count_with_exactly_is_refused(folder: Path, value: str) -> None:
    assert "digits before or after the point" in refusal(
        folder, FIXRING__GENERIC__INSTRUMENTS__BTCUSDT__TICK_SIZE=value
    )


def test_no_folder_no_venue_and_a_bad_name_are_refused(folder: Path, tmp_path: Path) -> None:
    assert "set FIXRING_CONFIG" in refusal(tmp_path / "nowhere")
    assert "no venue is served" in refusal(
        folder, FIXRING__BINANCE__ENABLED="false", FIXRING__GENERIC__ENABLED="false"
    )
    (folder / "Kraken-2.toml").write_text("")
    assert "rename the file" in refusal(folder)
    (folder / "Kraken-2.toml").rename(folder / "risk.toml")
    assert "give the venue another name" in refusal(folder)


def test_a_variable_overrides_any_value(folder: Path) -> None:
    config = load(
        folder,
        {
            "FIXRING__ORDERS__TTL_MS": "500",
            "FIXRING__BINANCE__FIX__PORT": "9700",
            "FIXRING__BINANCE__FIX__TLS__CA": "/somewhere/ca.pem",
            "FIXRING__RISK__SYMBOLS__BTCUSDT__POSITION_LIMIT": "7.5",
            "FIXRING__JOURNAL__DURABILITY": "process",
            "FIXRING__STRATEGIES__MAKER__SYMBOLS": '["ETHUSDT"]',
            "FIXRING__STRATEGIES__MAKER__PARAMETERS__LEVELS": "3",
            "FIXRING__STRATEGIES__MAKER__PARAMETERS__MOOD": "bold",
            "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
            "FIXRING__GENERIC__SIMULATED__BALANCES__BTC": "2",
            "FIXRING_VAR": str(folder),
            "PORT": "5000",
        },
    )
    assert config.stack.orders.ttl_ms == 500
    assert config.venues["binance"].fix.port == 9700
    assert config.venues["binance"].fix.tls is not None
    assert config.venues["binance"].fix.tls.ca == "/somewhere/ca.pem"
    assert config.stack.risk.symbols["BTCUSDT"].position_limit == Decimal("7.5")
    assert config.stack.journal.durability is Durability.PROCESS
    assert config.strategies["maker"].symbols == ["ETHUSDT"]
    assert config.strategies["maker"].parameters == {"levels": 3, "mood": "bold"}
    assert "signals" not in config.strategies
    assert config.venues["generic"].simulated is not None
    assert config.venues["generic"].simulated.balances["BTC"] == 2
    assert config.paths.var == folder


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("FIXRING__ORDERS__TTL", "5", "there is no 'ttl' here; known are ask_after_ms, ttl_ms, unknown_after_ms"),
        ("FIXRING__NASDAQ__FIX__PORT", "5", "there is no 'nasdaq' here"),
        ("FIXRING__ORDERS", "5", "names a table"),
        ("FIXRING__BINANCE", "5", "names a table"),
        ("FIXRING__", "5", "there is no ''"),
        ("FIXRING__ORDERS__TTL_MS__X", "5", "is a value, not a table"),
        ("FIXRING__ORDERS__TTL_MS", "soon", "'soon': Expected `int`"),
        ("FIXRING__STRATEGIES__MAKER__SYMBOLS", "BTCUSDT", "write the value as in TOML"),
    ],
)
def test_a_variable_that_fits_nothing_is_refused_by_name(
    folder: Path, variable: str, value: str, expected: str
) -> None:
    text = refusal(folder, **{variable: value})
    assert text.startswith(f"{variable}: ")
    assert expected in text


def test_hosts_are_the_first_one_and_what_it_falls_back_to(folder: Path) -> None:
    assert load(folder, {}).venues["generic"].fix.hosts == (("127.0.0.1", 9500),)
    fix = load(folder, {"FIXRING__GENERIC__FIX__FALLBACK_HOSTS": '["two.venue.com:9000", "[2001:db8::7]:1"]'})
    assert fix.venues["generic"].fix.hosts == (("127.0.0.1", 9500), ("two.venue.com", 9000), ("2001:db8::7", 1))


def test_a_schedule_is_daily_or_weekly_in_local_time(folder: Path) -> None:
    assert load(folder, {}).venues["generic"].fix.opening is None
    table = '[fix.schedule]\nzone = "Europe/London"\nstart = "22:05"\nend = "22:00:30"\nreset_numbers = true'
    replace(folder / "generic.toml", "[market_data]", f'{table}\nstart_day = "sat"\nend_day = "fri"\n[market_data]')
    fix = load(folder, {}).venues["generic"].fix
    assert fix.resets_by_schedule
    assert fix.opening == Schedule(
        start=time(22, 5), end=time(22, 0, 30), zone=ZoneInfo("Europe/London"), start_day=5, end_day=4
    )
    replace(folder / "generic.toml", 'start_day = "sat"\nend_day = "fri"', 'days = ["mon", "sun"]')
    daily = load(folder, {"FIXRING__GENERIC__FIX__SCHEDULE__RESET_NUMBERS": "false"}).venues["generic"].fix
    assert daily.opening is not None and daily.opening.days == {0, 6}
    assert not daily.resets_by_schedule


def test_every_actor_stands_behind_one_supervisor() -> None:
    config = load(environ={})
    assert [a.name for a in config.actors(Kind.SESSIONS)] == [
        "session@binance",
        "marketdata@binance",
        "session@generic",
        "marketdata@generic",
    ]
    assert [a.name for a in config.actors(Kind.ACCOUNTS)] == ["account@binance"]
    assert [a.arguments for a in config.actors(Kind.STRATEGIES)] == [("--name", "maker"), ("--name", "signals")]
    assert sorted(a for kind in Kind for a in config.actors(kind)) == sorted(config.actors())


def test_links_are_sockets_in_the_run_folder_unless_configured(folder: Path, short_folder: Path) -> None:
    environ = {"FIXRING_VAR": str(short_folder), "FIXRING__ENDPOINTS__ADDRESSES__JOURNAL": "tcp://127.0.0.1:9701"}
    config = load(folder, environ)
    assert config.endpoint("session.binance") == f"ipc://{short_folder}/run/session.binance"
    assert config.endpoint("journal") == "tcp://127.0.0.1:9701"
    with pytest.raises(ConfigError, match="set FIXRING_VAR to a folder with a shorter path"):
        load(folder, {"FIXRING_VAR": f"/{'x' * 100}"}).endpoint("entry")


def test_a_link_that_leaves_the_host_needs_curve_keys(folder: Path) -> None:
    assert "set `curve_folder`" in refusal(folder, FIXRING__ENDPOINTS__ADDRESSES__JOURNAL="tcp://10.0.0.5:9701")
    assert "must begin with tcp://" in refusal(folder, FIXRING__ENDPOINTS__ADDRESSES__JOURNAL="udp://10.0.0.5:9701")


def test_a_further_account_s_credentials_are_of_a_kind_that_the_venue_takes(folder: Path) -> None:
    table = """[accounts.second]
session = { comp_id_prefix = "SEC" }
[accounts.second.credentials]
api_key_file = "a"
private_key_file = "b"
"""
    replace(folder / "binance.toml", "[simulated]", f"{table}[simulated]")
    credentials = load(folder, {}).accounts["second"].credentials
    assert credentials is not None and credentials.kind is CredentialKind.ED25519
    replace(folder / "binance.toml", 'api_key_file = "a"', 'kind = "rsa"\napi_key_file = "a"')
    told = 'accounts.second.credentials: Binance Spot takes kind = "ed25519", and kind = "rsa" is given'
    assert told in refusal(folder)


HEDGE = 'session = { sender_comp_id = "HEDGE" }'
COPY = 'drop_copies = { genericdc = { sender_comp_id = "COPY", port = 9598 } }'
SECOND = 'sessions = { generic2 = { sender_comp_id = "SECOND", port = 9599 } }'


def test_a_venue_has_one_account_with_one_session_unless_more_are_configured(folder: Path) -> None:
    assert [(account.name, [s.name for s in account.sessions]) for account in load(folder, {}).accounts.values()] == [
        ("binance", ["binance"]), ("generic", ["generic"]),
    ]  # fmt: skip
    with (folder / "generic.toml").open("a") as file:
        file.write(f"\n[accounts.generic]\n{SECOND}\n[accounts.hedge]\n{HEDGE}\n")
    config = load(folder, {})
    assert {name: session.account for name, session in config.sessions.items()} == {
        "binance": "binance", "generic": "generic", "generic2": "generic", "hedge": "hedge",
    }  # fmt: skip
    second, first = config.sessions["generic2"].fix, config.sessions["generic"].fix
    assert (second.sender_comp_id, second.port, second.host) == ("SECOND", 9599, first.host)
    assert config.accounts["hedge"].venue is config.venues["generic"]
    named = {actor.name for actor in config.actors()}
    assert {"session@generic2", "session@hedge", "exchange@generic", "account@binance"} <= named


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ("[accounts.hedge]\n", "[accounts.hedge] needs a `session` of its own"),
        (f"[accounts.generic]\n{HEDGE}",
         "[accounts.generic] is the first account: it has `sessions` and `drop_copies` alone"),
        (f"[accounts.binance]\n{HEDGE}", "account binance: binance has one of that name"),
        (f"[accounts.Hedge]\n{HEDGE}", "account Hedge: a name is"),
        (f"[accounts.generic]\n{SECOND.replace('generic2', 'binance')}", "session binance: binance has one"),
        (f"[accounts.hedge]\n{HEDGE.replace('HEDGE', 'FIXRING')}", "session hedge: generic logs on as FIXRING already"),
        ("[accounts.hedge]\nsession = {}", "set one of `sender_comp_id` and `comp_id_prefix`"),
        (f"[accounts.hedge]\n{HEDGE}\n{HMAC.replace('credentials', 'accounts.hedge.credentials')}",
         "[accounts.hedge] needs `credentials` if and only if the venue has [credentials]"),
        (f"[accounts.generic]\n{COPY}", "accounts.generic.drop_copies: FIX 4.4 has none here"),
        (f"[accounts.generic]\n{COPY.replace(', port = 9598', '')}", "`port` is missing"),
    ],
)  # fmt: skip
def test_accounts_and_sessions_have_names_and_identities_of_their_own(
    folder: Path, tables: str, expected: str
) -> None:
    with (folder / "generic.toml").open("a") as file:
        file.write(f"\n{tables}\n")
    assert expected in refusal(folder)


CONTRACT = """
[instruments.BTC-27SEP]
base = "BTC"
quote = "USD"
tick_size = "0.5"
lot_size = "1"
min_qty = "1"
max_qty = "1000"
min_notional = "10"
kind = "future"
multiplier = "10"
inverse = true
settle = "BTC"
expiry = 2027-09-24T08:00:00Z
[simulated.prices]
BTC-27SEP = "65000"
[simulated]
"""


def test_a_contract_is_an_instrument(folder: Path) -> None:
    replace(folder / "generic.toml", "[simulated]", CONTRACT)
    future = load(folder, {}).venues["generic"].instruments["BTC-27SEP"]
    assert future.contract == Contract(InstrumentKind.FUTURE, Decimal(10), True, "BTC")
    assert (future.id, future.expiry_ns) == ("BTC/USD:BTC-20270924", 1_821_772_800_000_000_000)
    assert load(folder, {}).venues["generic"].instruments["BTCUSDT"].id == "BTC/USDT"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('settle = "BTC"\n', "", 'kind = "future" needs `settle`'),
        ('settle = "BTC"\n', 'settle = "BTC"\nstrike = "1"\n', 'kind = "future" has no `strike`'),
        ("08:00:00Z", "08:00:00", "`expiry` needs a time zone: 2027-09-24T08:00:00Z"),
        ('kind = "future"', 'kind = "spot"', 'kind = "spot" has no `settle`'),
        ('multiplier = "10"', 'multiplier = "0"', "`multiplier` must be above 0"),
    ],
)
def test_what_is_no_contract_is_refused(folder: Path, old: str, new: str, expected: str) -> None:
    replace(folder / "generic.toml", "[simulated]", CONTRACT.replace(old, new))
    assert f"generic.toml: instruments.BTC-27SEP: {expected}" in refusal(folder)


def test_a_venue_that_knows_a_connection_by_its_key_is_given_no_other_name(folder: Path) -> None:
    config = load(folder, {"FIXRING__STACK__VENUES": '["coinbase"]'})
    venue = config.venues["coinbase"]
    assert (venue.fix.sender_comp_id, venue.fix.comp_id_prefix) == (None, None)
    profile = find_profile(venue.dialect)
    assert logs_on_as(venue.fix, profile, HmacPassphrase("the-key", b"s", "p")) == "the-key"
    with pytest.raises(ConfigError, match="API key"):
        logs_on_as(venue.fix, profile, None)
    replace(folder / "coinbase.toml", "[market_data]", '[market_data]\nsender_comp_id = "ME"')
    text = refusal(folder, FIXRING__STACK__VENUES='["coinbase"]')
    assert "coinbase.toml: market_data.sender_comp_id: Coinbase Exchange knows a connection by its API key" in text


def test_a_venue_that_tells_no_prices_over_fix_has_no_market_data_session_and_a_rest_side(folder: Path) -> None:
    served = {"FIXRING__STACK__VENUES": '["bybit"]'}
    venue = load(folder, served).venues["bybit"]
    assert venue.market_data is None and list(venue.connections) == ["fix"]
    rest = '[rest]\nurl = "http://127.0.0.1:9802/v5"\n'
    table = '[market_data]\nhost = "h"\nport = 1\ntarget_comp_id = "T"\nsender_comp_id = "S"\n'
    table += 'sequence_policy = "reset"\nlimits = { messages = 1, window_ms = 1 }\n'
    replace(folder / "bybit.toml", rest, rest + table)
    assert "market_data: Bybit Spot tells no prices over FIX; leave the table out" in refusal(folder, **served)
    text = (folder / "bybit.toml").read_text()
    (folder / "bybit.toml").write_text(text[: text.index("[rest]")] + text[text.index("[credentials]") :])
    assert "and set [rest], where they are asked for" in refusal(folder, **served)


KEY = "[market_data_credentials]\n"
PRIME_FILES = 'api_key_file = "keys/p/k"\nsecret_file = "keys/p/s"\npassphrase_file = "keys/p/p"\n'


def test_market_data_has_a_key_of_its_own_where_one_is_given(folder: Path) -> None:
    served = {"FIXRING__STACK__VENUES": '["coinbase"]'}
    venue = load(folder, served).venues["coinbase"]
    assert venue.credentials_of("market_data") == venue.credentials_of("fix") == venue.credentials
    replace(folder / "coinbase.toml", "[simulated]", f"{KEY}{PRIME_FILES}[simulated]")
    venue = load(folder, served).venues["coinbase"]
    own = venue.credentials_of("market_data")
    assert own is not None and own.kind is CredentialKind.HMAC_PASSPHRASE and own.secret_file == "keys/p/s"
    assert venue.credentials_of("fix") == venue.credentials != own
    assert [(key.owner, key.table, key.connection) for key in keys_of(venue)] == [
        ("coinbase", "credentials", "fix"),
        ("coinbase's market data", "market_data_credentials", "market_data"),
    ]
    moved = load(folder, {**served, "FIXRING__COINBASE__MARKET_DATA_CREDENTIALS__SECRET_FILE": "keys/p/t"})
    own = moved.venues["coinbase"].market_data_credentials
    assert own is not None and own.secret_file == "keys/p/t"


@pytest.mark.parametrize(
    ("venue", "old", "new", "expected"),
    [
        ("coinbaseprime", "market_data_secret", "secret",
         "market_data_credentials: Coinbase Prime: keys/coinbaseprime/secret is a file of an account's"),
        ("kraken", "[simulated]", f'{KEY}api_key_file = "a"\nsecret_file = "b"\n[simulated]',
         "market_data_credentials: Kraken Spot asks for no key where it tells prices; leave the table out"),
        ("bybit", "[simulated]", f'{KEY}api_key_file = "a"\nprivate_key_file = "b"\n[simulated]',
         "market_data_credentials: Bybit Spot asks for no key where it tells prices; leave the table out"),
        ("okx", "[simulated]", f"{KEY}{PRIME_FILES}[simulated]",
         "market_data_credentials: OKX asks for no key where it tells prices; leave the table out"),
        ("coinbase", "[simulated]", f'{KEY}kind = "hmac"\napi_key_file = "a"\nsecret_file = "b"\n[simulated]',
         'market_data_credentials: Coinbase Exchange takes kind = "hmac_passphrase", and kind = "hmac" is given'),
    ],
)  # fmt: skip
def test_a_key_for_market_data_is_refused_where_it_opens_nothing(
    folder: Path, venue: str, old: str, new: str, expected: str
) -> None:
    replace(folder / f"{venue}.toml", old, new)
    assert expected in refusal(folder, FIXRING__STACK__VENUES=f'["{venue}"]')


def test_a_venue_that_takes_no_other_key_for_prices_is_given_one(folder: Path) -> None:
    file = folder / "coinbaseprime.toml"
    text = file.read_text()
    at = text.index(KEY.rstrip())
    file.write_text(text[:at] + text[text.index("[simulated]") :])
    told = "market_data_credentials: Coinbase Prime takes another key for market data than the account's; the table is"
    assert told in refusal(folder, FIXRING__STACK__VENUES='["coinbaseprime"]')


# ---- alerts ----


def test_each_watch_has_a_rule_that_a_table_changes_and_a_further_one_names_its_watch() -> None:
    prefix = "FIXRING__ALERTS__RULES__"
    told = {
        "SESSION_DOWN__FOR_S": "30", "LOSS__LIMIT": "500", "REFUSALS__ENABLED": "false",
        "NEARLY__WATCH": "risk_use", "NEARLY__LIMIT": "0.5", "NEARLY__SEVERITY": "critical",
    }  # fmt: skip
    config = load(environ={f"{prefix}{key}": value for key, value in told.items()})
    rules = {rule.name: rule for rule in config.stack.alerts.all_rules()}
    assert rules["session_down"].for_s == 30 and rules["loss"].limit == 500
    assert (rules["nearly"].watch, rules["nearly"].limit, rules["nearly"].for_s) == ("risk_use", Decimal("0.5"), 5)
    assert rules.keys() == {*WatchKind, "nearly"} - {"refusals"}
    plain = load(environ={}).stack.alerts.all_rules()
    assert "loss" not in {rule.name for rule in plain}, "without a limit there is none"


HOOK = {"WEBHOOKS__PAGER__URL": "https://a.example/x", "WEBHOOKS__PAGER__SECRET_FILE": "keys/s"}
MAIL = {
    "EMAILS__DESK__HOST": "mail.example", "EMAILS__DESK__PORT": "465", "EMAILS__DESK__FROM_ADDRESS": "a@b.example",
    "EMAILS__DESK__TO": "c@d.example",
}  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({**HOOK, "WEBHOOKS__PAGER__URL": "http://a.example/x"}, "must begin with https://"),
        ({**HOOK, "TELEGRAMS__PAGER__TOKEN_FILE": "t", "TELEGRAMS__PAGER__CHAT_ID": "1"}, "two sinks are called pager"),
        ({"WEBHOOKS__LOG__URL": "https://a.example", "WEBHOOKS__LOG__SECRET_FILE": "s"}, "not log or heartbeat"),
        ({**MAIL, "EMAILS__DESK__SECURITY": "none"}, "for the loopback"),
        ({**MAIL, "EMAILS__DESK__PASSWORD_FILE": "keys/p"}, "go together"),
        ({**MAIL, "EMAILS__DESK__TO": "c@d.example\nBcc: x"}, "no address of a mailbox"),
        ({"RULES__OTHER__LIMIT": "1"}, "needs `watch`"),
        ({"RULES__KILLED__LIMIT": "1"}, "it is so or not so"),
        ({"RULES__OTHER__WATCH": "loss"}, "needs a `limit`"),
        ({"RULES__KILLED__WATCH": "disk"}, "give it another name"),
        ({"RULES__DISK__LIMIT": "NaN"}, "must be at least 0"),
        ({"RULES__DISK__SINKS": "pager"}, "no sink is called pager; there is none"),
        ({"REPEAT_S": "20000"}, "must not be above"),
        ({"METRICS__PORT": "9600"}, "port 9600 is taken by alerts.metrics"),
    ],
)
def test_alerts_that_could_not_be_told_are_refused(folder: Path, keys: dict[str, str], told: str) -> None:
    moved = {"FIXRING__GENERIC__FIX__PORT": "9600"}
    text = refusal(folder, **moved, **{f"FIXRING__ALERTS__{key}": value for key, value in keys.items()})
    assert told in text


HOSTS = """
[hosts.trading]
runs = ["exchanges", "journal", "orders", "risk", "sessions", "accounts", "desk"]
relay = "tcp://10.0.0.5:9700"
[hosts.research]
runs = ["strategies", "alerts"]
relay = "tcp://10.0.0.6:9700"
[endpoints]
curve_folder = "keys/links"
[endpoints.addresses]
entry = "tcp://10.0.0.5:9701"
"feed.binance" = "tcp://10.0.0.5:9702"
"feed.generic" = "tcp://10.0.0.5:9703"
"""


@pytest.fixture
def of_two_hosts(folder: Path) -> Path:
    """The same, with strategies and alerts on another host than the rest."""
    with (folder / "fixring.toml").open("a") as file:
        file.write(HOSTS)
    return folder


def test_each_host_runs_its_lines_and_reaches_the_others_through_their_relays(of_two_hosts: Path) -> None:
    trading = load(of_two_hosts, {"FIXRING__STACK__HOST": "trading", "FIXRING_VAR": "/v"})
    research = load(of_two_hosts, {"FIXRING__STACK__HOST": "research", "FIXRING_VAR": "/v"})
    assert trading.actors() == research.actors()
    names = {actor.name for actor in trading.actors()}
    here, there = ({actor.name for actor in config.actors_here()} for config in (trading, research))
    assert here | there == names and not here & there
    assert {"strategy@maker", "alerts", "relay@research"} <= there
    assert {"journal", "session@binance", "relay@trading"} <= here
    assert trading.reach.elsewhere["supervisor-strategies"] == "research"
    assert research.reach.elsewhere["orders"] == "trading"
    assert research.control_endpoint("orders") == "tcp://10.0.0.5:9700"
    assert trading.control_endpoint("strategy@added_since") == "tcp://10.0.0.6:9700"
    assert research.control_endpoint("strategy@added_since") == "ipc:///v/run/control.strategy@added_since"
    assert research.control_endpoint("alerts") == "ipc:///v/run/control.alerts"
    assert (trading.role_of("session@binance"), trading.role_of("relay@trading")) == ("sessions", "relay@trading")
    # What makes two hosts one stack is the same on both; which of them each is, is not part of it.
    assert trading.fingerprint == research.fingerprint
    assert load(of_two_hosts, {"FIXRING__STACK__HOST": "trading", "FIXRING__ORDERS__TTL_MS": "900"}).fingerprint != (
        trading.fingerprint
    )


def test_a_stack_of_one_host_has_no_relay_and_reaches_everybody_here(folder: Path) -> None:
    config = load(folder, {})
    assert config.actors_here() == config.actors()
    assert not [actor for actor in config.actors() if actor.kind is Kind.RELAYS]
    assert Kind.RELAYS not in config.kinds_here and set(config.kinds_here) | {Kind.RELAYS} == set(Kind)
    assert (config.host, config.reach.elsewhere) == ("", {})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('runs = ["strategies", "alerts"]', 'runs = ["strategies"]', "hosts: alerts must run on one of"),
        ('"alerts"]', '"alerts", "desk"]', "desk runs on trading already"),
        ('"accounts", "desk"]', '"accounts"]\n#', "hosts: desk must run on one of"),
        ('["strategies", "alerts"]', '["strategies", "alerts", "relays"]', "relays run by themselves"),
        ('10.0.0.6:9700', '10.0.0.5:9700', "is the address of hosts.trading already"),
        ('"tcp://10.0.0.5:9702"', '"tcp://10.0.0.5:9701"', "is the address of entry already"),
        ('curve_folder = "keys/links"', 'curve_folder = ""', "set `curve_folder`"),
        ('entry = "tcp://10.0.0.5:9701"', "", 'entry leads from trading to another host: add "entry"'),
        ("[hosts.research]", "[hosts.Research]", "a host's name is"),
        ('relay = "tcp://10.0.0.6:9700"', 'relay = "ipc:///tmp/x"', "`relay` must begin with tcp://"),
        ('"feed.generic" =', '"control.orders" =', "there is no link control.orders"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_hosts_is_said(of_two_hosts: Path, old: str, new: str, why: str) -> None:
    replace(of_two_hosts / "fixring.toml", old, new)
    assert why in refusal(of_two_hosts, FIXRING__STACK__HOST="trading")


def test_a_host_must_say_which_it_is(of_two_hosts: Path, folder: Path) -> None:
    assert "which of [hosts] this one is must be said; there is trading, research" in refusal(of_two_hosts)
    assert "elsewhere is none of [hosts]" in refusal(of_two_hosts, FIXRING__STACK__HOST="elsewhere")


def test_what_reads_the_log_stays_with_it(of_two_hosts: Path) -> None:
    replace(of_two_hosts / "fixring.toml", '"orders", "risk", "sessions"', '"orders", "sessions"')
    replace(of_two_hosts / "fixring.toml", '["strategies", "alerts"]', '["strategies", "alerts", "risk"]')
    assert "read the log's files, and run on one host together" in refusal(
        of_two_hosts, FIXRING__STACK__HOST="trading"
    )


def test_a_host_without_hosts_is_refused(folder: Path) -> None:
    assert "there is no [hosts.trading]" in refusal(folder, FIXRING__STACK__HOST="trading")


def test_which_host_a_start_was_told_to_be_is_known_until_the_next(of_two_hosts: Path, tmp_path: Path) -> None:
    own = {"FIXRING_CONFIG": str(of_two_hosts), "FIXRING_VAR": str(tmp_path / "var")}
    begin_serving({**own, "FIXRING__STACK__HOST": "research"})
    assert load(environ=own).host == "research"
    assert "must be said" in refusal(of_two_hosts)
    with pytest.raises(ConfigError, match="must be said"):
        begin_serving(own)
