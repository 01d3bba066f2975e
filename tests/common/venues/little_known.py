"""A venue of which less is known than of any that there is, for who has to say so."""

from types import ModuleType

import pytest
from msgspec import structs

from common.venues.registry import find_profile
from common.venues.venue import Confidence, VenueProfile


def little_known(monkeypatch: pytest.MonkeyPatch, asking: ModuleType, dialect: str, confidence: Confidence) -> None:
    """Have the module `asking` find a profile of that confidence."""

    def found(name: str) -> VenueProfile:
        profile = find_profile(name)
        return structs.replace(profile, confidence=confidence) if name == dialect else profile

    monkeypatch.setattr(asking, "find_profile", found)
