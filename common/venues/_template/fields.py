"""What the template adds to FIX 4.4: its fields, their values, and its own messages.

Source: none; a venue names its dictionary here.
"""

from collections.abc import Mapping
from typing import Any

ADDITIONS: Mapping[str, Any] = {
    "fields": {"20001": {"name": "FeeRate", "type": "FLOAT", "values": {}}},
}
"""As `Dictionary.with_additions` takes them."""
