"""One venue's part of CCXT alone, for the `rest.py` of a venue's folder.

CCXT's own `__init__` imports every venue that it knows, which takes 0.3 s and 40 MB at each start of an account. The
package is entered without running it.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any

from common.messages import Answer, Ask
from common.venues.rest import OF_ANOTHER_FORM, masked

Question = Callable[[Ask], Answer]


def answered(
    venue: str, ask: Ask, questions: Mapping[str, Question], code_of: Callable[[BaseException], int] = lambda _: 0
) -> Answer:
    """What the question of that kind answers, or what it failed of: with the venue's own code where `code_of` finds
    one.
    """
    try:
        return questions[ask.what](ask)
    except ccxt_errors().BaseError as error:
        return Answer(venue, ask, True, code_of(error), masked(error))
    except (OSError, *OF_ANOTHER_FORM) as error:
        # A file may be gone, such as the authorities' certificates: the question failed, and the next may not.
        return Answer(venue, ask, True, 0, f"{type(error).__name__}: {masked(error)}")


def ccxt_class(name: str) -> Any:
    """CCXT's class of that venue. Raises ImportError where CCXT is not installed, or has no such venue."""
    _enter()
    return getattr(importlib.import_module(f"ccxt.{name}"), name)


def ccxt_errors() -> Any:
    """The module of CCXT's errors, `BaseError` the first of them. Raises ImportError where CCXT is not installed."""
    _enter()
    return importlib.import_module("ccxt.base.errors")


def _enter() -> None:
    if "ccxt" in sys.modules:
        return
    whole = find_spec("ccxt")
    if whole is None:
        raise ImportError("ccxt is not installed; scripts/start installs it")
    bare = ModuleSpec("ccxt", None, is_package=True)
    bare.submodule_search_locations = whole.submodule_search_locations
    sys.modules["ccxt"] = module_from_spec(bare)
    for noisy in ("ccxt", "urllib3"):
        # Their DEBUG lines hold the API key and the signed URL.
        logging.getLogger(noisy).setLevel(logging.WARNING)
