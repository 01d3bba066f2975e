"""At which seed each planted bug was last found: the search begins there, and looks within the whole bound if need be.

The table is made by `fixring simulate --planted all --write`.
"""

from pathlib import Path
from typing import Final

MODULE = Path(__file__)

KNOWN_SEEDS: Final[dict[str, int]] = {
    "beyond-bounds-untold": 11,
    "configuration-is-all": 5,
    "labels-without-bounds": 11,
    "poison-halts-nothing": 1,
    "poison-raises": 1,
}


def write_seed(name: str, seed: int) -> None:
    """Put where the bug was found into this file, at once: a search takes long, and may be ended."""
    KNOWN_SEEDS[name] = seed
    before, begin, rest = MODULE.read_text("utf-8").partition("Final[dict[str, int]] = {\n")
    _, end, after = rest.partition("}\n")
    rows = "".join(f'    "{known}": {found},\n' for known, found in sorted(KNOWN_SEEDS.items()))
    MODULE.write_text(f"{before}{begin}{rows}{end}{after}", "utf-8")
