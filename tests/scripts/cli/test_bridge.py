"""`fixring bridge kills`: one kill of the real process, and what the command says of a venue that it cannot do."""

import orjson
import pytest
from click.testing import CliRunner

from scripts.cli.bridge import bridge
from scripts.cli.main import run


def test_one_kill_over_ten_requests_leaves_nothing_undecided_and_nothing_that_differs() -> None:
    done = CliRunner().invoke(
        bridge, ["kills", "okx", "--kills", "1", "--seed", "3", "--json"], standalone_mode=False, catch_exceptions=False
    )
    told = orjson.loads(done.stdout)
    assert told["differences"] == [] and min(told["undecided"]) >= 10 and done.return_value == 0
    assert sum(each["count"] for each in told["ends"]) == sum(told["undecided"])


@pytest.mark.parametrize("venue", ["binance", "nowhere"])
def test_a_venue_without_a_bridge_is_refused_with_the_names_that_there_are(
    venue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bridge", "kills", venue]) == 2
    assert "okx" in capsys.readouterr().err
