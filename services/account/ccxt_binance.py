"""Binance's part of CCXT alone.

CCXT's own `__init__` imports every venue that it knows, which takes 0.3 s and 40 MB at each start of an account. The
package is entered without running it.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec

whole = find_spec("ccxt")
assert whole is not None, "ccxt is not installed; scripts/start installs it"
bare = ModuleSpec("ccxt", None, is_package=True)
bare.submodule_search_locations = whole.submodule_search_locations
sys.modules["ccxt"] = module_from_spec(bare)

from ccxt.base.errors import BaseError, ExchangeError, NetworkError  # noqa: E402
from ccxt.binance import binance  # noqa: E402

__all__ = ["BaseError", "ExchangeError", "NetworkError", "binance"]
