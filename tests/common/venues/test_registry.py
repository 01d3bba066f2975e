"""A venue is found by its folder's name, in the tree or outside, and nothing of it is loaded before it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from common.config import CHECKOUT
from common.venues.registry import (
    UnknownVenue,
    find_dialect,
    find_dictionary,
    find_profile,
    find_rest,
    folder_of,
    venue_names,
)
from common.venues.venue import Feature


def test_every_folder_of_the_tree_is_found() -> None:
    assert {"binance", "generic"} <= set(venue_names())
    for name in venue_names():
        assert find_dialect(name).profile is find_profile(name)
        assert (folder_of(name) / "venue.toml").is_file()


def test_a_venue_that_is_not_there_names_those_that_are() -> None:
    for name in ("nasdaq", "no.such.desk", "common.venues.reading", "."):
        with pytest.raises(UnknownVenue, match=", ".join(venue_names())):
            find_profile(name)


def test_a_part_that_the_venue_has_not_is_refused_by_name() -> None:
    with pytest.raises(UnknownVenue, match="no REST side"):
        find_rest("generic")


def test_a_package_without_a_profile_is_no_venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_desk" / "acme"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownVenue, match=r"some_desk\.acme\.venue:PROFILE cannot be loaded"):
        find_profile("some_desk.acme")
    (package / "venue.py").write_text("PROFILE = 7\n")
    with pytest.raises(UnknownVenue, match="is no VenueProfile"):
        find_profile("some_desk.acme")


def test_a_dictionary_has_the_venue_s_own_fields() -> None:
    assert find_dictionary("binance").field_name(25016) == "ErrorCode"
    assert find_dictionary("generic").field_name(25016) is None


def test_nothing_of_a_venue_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys; from common.venues import registry; registry.venue_names(); "
        "loaded = lambda: sorted(m for m in sys.modules if m.startswith('common.venues.') and m.count('.') > 2); "
        "assert loaded() == [], loaded(); registry.find_profile('binance'); "
        "assert loaded() == ['common.venues.binance.venue'], loaded(); registry.find_dialect('generic'); "
        "assert loaded() == ['common.venues.binance.venue', 'common.venues.generic.dialect', "
        "'common.venues.generic.venue'], loaded()"
    )
    subprocess.run([sys.executable, "-P", "-c", program], cwd=CHECKOUT, check=True, timeout=60)


def test_what_the_profile_lacks_the_dialect_has_not() -> None:
    for name in venue_names():
        profile, dialect = find_profile(name), find_dialect(name)
        assert (dialect.encode_mass_cancel("K-1", "BTCUSDT", 0) is None) is (Feature.MASS_CANCEL in profile.lacks)
        assert (dialect.encode_limit_query("q") is None) is (Feature.LIMIT_QUERY in profile.lacks)
