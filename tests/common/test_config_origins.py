"""Invariant: each value is said to come from what, taken away, would change it, and what is shown of a secret is its
file's path.
"""

from pathlib import Path

import orjson
import pytest

from common.config import CHECKOUT, Config, load
from common.config_origins import DEFAULT, configured_values
from scripts.cli.main import run

CONFIGS = CHECKOUT / "configs"
VENUE_TOML = str(CHECKOUT / "common" / "venues" / "binance" / "venue.toml")


def origins(environ: dict[str, str], config: Config | None = None) -> dict[str, str]:
    told = configured_values(config or load(CONFIGS, environ), environ)
    return {".".join(value.keys): value.origin for value in told}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"FIXRING_VAR": str(tmp_path)}


def test_each_layer_is_named(environ: dict[str, str]) -> None:
    found = origins(environ)
    assert found["strategies.maker.program"] == str(CONFIGS / "fixring.toml")
    assert found["strategies.maker.on_exit"] == DEFAULT
    assert found["binance.fix.port"] == str(CONFIGS / "binance.toml")
    assert found["binance.fix.sequence_policy"] == VENUE_TOML
    assert found["binance.instruments.BTCUSDT.symbol"] == VENUE_TOML
    assert found["binance.fix.fallback_hosts"] == DEFAULT


@pytest.mark.parametrize(
    ("variable", "text", "key"),
    [
        ("FIXRING__BINANCE__FIX__PORT", "4711", "binance.fix.port"),
        ("FIXRING__RISK__SYMBOLS__BTCUSDT__MAX_ORDER_QTY", "7", "risk.symbols.BTCUSDT.max_order_qty"),
        ("FIXRING__STRATEGIES__MAKER__ON_EXIT", "cancel", "strategies.maker.on_exit"),
        ("FIXRING__STRATEGIES__MAKER__PARAMETERS", "{levels = 2}", "strategies.maker.parameters.levels"),
        ("FIXRING__STACK__VENUES", "binance", "stack.venues"),
    ],
)
def test_a_variable_is_named_and_counts_before_every_file(
    environ: dict[str, str], variable: str, text: str, key: str
) -> None:
    before, after = origins(environ), origins({**environ, variable: text})
    assert after[key] == variable
    assert {name for name, origin in after.items() if origin == variable} == {key}
    assert before.get(key) != variable


def test_the_venues_that_a_start_was_told_to_serve_are_said_to_come_from_there(environ: dict[str, str]) -> None:
    served = load(CONFIGS, environ).paths.served
    served.parent.mkdir()
    served.write_text("binance\n")
    assert origins(environ)["stack.venues"] == f"scripts/start --venues, kept in {served}"


def test_of_a_secret_its_path_alone_is_shown(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", environ["FIXRING_VAR"])
    key = Path(environ["FIXRING_VAR"]) / "keys" / "binance" / "api_key"
    key.parent.mkdir(parents=True)
    key.write_text("its-secret")
    assert run(["config", "show", "binance.credentials", "--json"]) == 0
    told = capsys.readouterr().out
    rows = {row["key"]: row["value"] for row in orjson.loads(told)["values"]}
    assert rows["binance.credentials.api_key_file"] == "keys/binance/api_key"
    assert "its-secret" not in told


@pytest.mark.parametrize(("section", "told"), [("nothing", "there is alerts, "), ("binance.nope", "binance.fix")])
def test_an_unknown_section_is_wrong_usage_and_says_which_there_are(
    section: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show", section]) == 2
    assert told in capsys.readouterr().err
