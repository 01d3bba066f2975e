"""What a ring was measured to do, and what a process has cost."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """`trip_us` maps p50, p99 and p999 to microseconds, one order at a time; `orders_per_s` is with many under way."""

    trip_us: dict[str, float]
    orders_per_s: float


def percentiles_us(trips_ns: Sequence[int]) -> dict[str, float]:
    """The usual percentiles of round trips given in nanoseconds."""
    ranked = sorted(trips_ns)
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {
        name: round(ranked[min(len(ranked) - 1, int(len(ranked) * share))] / 1000, 1) for name, share in shares.items()
    }


def cpu_s(process: int) -> float:
    """The CPU time that a process has had, its own and the system's for it; not that of programs which it has run."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
