"""A configuration that loads is one that can run; anything else is refused with file, key and mend."""

import shutil
from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from common.config import (
    CHECKOUT,
    ConfigError,
    Durability,
    Environment,
    Kind,
    SequencePolicy,
    live_sentence,
    load,
)
from common.fix.schedule import Schedule


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
    replace(folder / "generic.toml", 'tick_size = "0.01"', "tick_size = 0.1")
    tick_size = load(folder, {}).venues["generic"].instruments["BTCUSDT"].tick_size
    assert tick_size == Decimal("0.1")
    assert isinstance(tick_size, Decimal)


def test_one_variable_switches_a_venue_off_whoever_names_it() -> None:
    config = load(environ={"FIXRING__BINANCE__ENABLED": "false", "FIXRING__STRATEGIES__SIGNALS__VENUES": '["binance"]'})
    assert set(config.venues) == {"generic"}
    assert set(config.strategies) == {"maker"}, "it goes on at the other; one that has none left does not run"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "fixring.toml",
            "[journal]",
            "[journal]\nspeed = 1",
            "fixring.toml: journal: Object contains unknown field `speed`",
        ),
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
            'venues = ["binance", "generic"]',
            'venues = ["kraken"]',
            "strategies.maker.venues: kraken is not known",
        ),
        (
            "fixring.toml",
            'symbols = ["BTCUSDT", "ETHUSDT"]',
            'symbols = ["XRPUSDT"]',
            "XRPUSDT is no instrument of binance",
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
        ("generic.toml", 'tick_size = "0.01"', 'tick_size = "0"', "instruments.BTCUSDT: `tick_size` must be above 0"),
        (
            "generic.toml",
            "[instruments.ETHUSDT]",
            '[instruments.ETHUSDT]\nsymbol = "X"',
            "instruments.ETHUSDT.symbol: the table's name",
        ),
        (
            "generic.toml",
            'dialect = "generic"',
            'dialect = "generic"\nname = "x"',
            "name: a venue's name is its file's",
        ),
        ("generic.toml", 'BTCUSDT = "65000.00", ', "", "`simulated.prices` has no price for BTCUSDT"),
        (
            "generic.toml",
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
    assert "no venue is enabled" in refusal(
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
        ("FIXRING__KRAKEN__FIX__PORT", "5", "there is no 'kraken' here"),
        ("FIXRING__ORDERS", "5", "names a table"),
        ("FIXRING__BINANCE", "5", "names a table"),
        ("FIXRING__", "5", "there is no ''"),
        ("FIXRING__ORDERS__TTL_MS__X", "5", "is a value, not a table"),
        ("FIXRING__ORDERS__TTL_MS", "soon", "'soon': Expected `int`"),
        ("FIXRING__STRATEGIES__MAKER__VENUES", "binance", "write the value as in TOML"),
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
