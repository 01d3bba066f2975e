"""Each benchmark's figures stand beside a peer's, under a line that says which interpreter took them."""

from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from scripts.cli.bench import bench
from scripts.cli.errors import CommandError
from scripts.interpreter import interpreter


def document(*arguments: str) -> dict[str, dict[str, float]]:
    done = CliRunner().invoke(bench, [*arguments, "--json"], catch_exceptions=False)
    figures = orjson.loads(done.output)
    assert figures.pop("interpreter") == interpreter()
    assert isinstance(figures, dict)
    return figures


def test_a_durable_session_makes_its_trips_beside_a_bare_one_and_a_file_store() -> None:
    figures = document("session", "--trips", "1")
    assert set(figures["round_trip_us"]) == {"fixring", "bare", "file store"}
    assert figures["times_bare"]["bare"] == 1.0


def test_the_floor_ends_each_order_with_its_second_report() -> None:
    figures = document("floor", "--orders", "5", "--window", "3", "--durability", "process")
    assert set(figures["round_trip_us"]) == {"p50", "p99", "p999"}


@pytest.mark.torture
def test_the_stack_makes_its_trips_and_its_rate_in_each_mode_of_the_copy() -> None:
    figures = document("replication", "--orders", "5", "--window", "3", "--runs", "1")
    modes: dict[str, Any] = {mode: figures[mode] for mode in ("local", "async", "quorum")}
    assert all(each["round_trip_us"]["p50"] > 0 and each["orders_per_s"] > 0 for each in modes.values())


def test_the_head_line_names_the_interpreter() -> None:
    done = CliRunner().invoke(bench, ["codec", "--rounds", "1"], catch_exceptions=False)
    assert done.output.splitlines()[0] == interpreter()
    assert interpreter().endswith(" PGO")


def test_an_order_over_a_bridge_stands_beside_the_same_by_ccxt_alone_and_a_start_beside_one_without_a_snapshot() -> (
    None
):
    figures = document("bridge", "okx", "--trips", "2", "--records", "700")
    assert set(figures["round_trip_us"]) == {"bridge: taken", "bridge: at venue", "CCXT alone"}
    assert figures["start"]["orders"] == 100


def test_the_desk_reads_what_is_written_tells_its_readers_and_costs_some_cpu_for_each_record() -> None:
    figures = document("desk", "--readers", "2", "--events", "500", "--seconds", "2", "--runs", "0")
    alone = figures["alone"]
    assert alone["readers"] == 2 and alone["records_per_s"] > 0 and alone["lines"] > 0
    assert alone["desk_percent"] > 0 and 0 < alone["readers_percent"] < 100
    assert alone["cpu_us"] > 0 and alone["lag_max_s"] >= alone["lag_p50_s"] > 0


def test_a_moment_of_the_past_begins_at_the_snapshot_before_it() -> None:
    figures = document("past", "--records", "900", "--every", "300", "--moments", "2")
    moments: list[dict[str, float]] = figures["moments"]  # type: ignore[assignment]
    assert [each["lsn"] for each in moments] == [299, 899]
    assert all(each["wall_s"] > 0 and each["cpu_s"] > 0 for each in moments)


def test_an_idle_venue_costs_memory_and_little_cpu_and_quotes_once_the_maker_is_there() -> None:
    figures = document("venues", "--venues", "generic", "--seconds", "0.5")
    generic: dict[str, Any] = figures["venues"]["generic"]  # type: ignore[assignment]
    assert generic["processes"] == 2 and generic["memory_mb"] > 10 and generic["exchange_memory_mb"] > 10
    assert 0 <= generic["cpu_percent"] < 200 and figures["rest_memory_mb"] > 10  # type: ignore[operator]
    assert generic["quotes"] >= 1 and generic["books"] == "equal"


def test_a_venue_that_is_none_is_not_measured() -> None:
    done = CliRunner().invoke(bench, ["venues", "--venues", "nowhere"])
    assert isinstance(done.exception, CommandError) and "nowhere: no such venue" in str(done.exception)
