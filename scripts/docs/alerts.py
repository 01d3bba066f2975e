"""The tables of docs/metrics.md and docs/alerts.md: every metric and every watch, as the code has them."""

from common.alerts import WATCHES
from scripts.docs.structs import table
from services.alerts.metrics import METRICS


def metrics() -> str:
    """A row for each metric."""
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels) or "none", each.sentence,
         each.mend)
        for each in METRICS
    ]  # fmt: skip
    return table(("metric", "type", "labels", "meaning", "do"), rows)


def watches() -> str:
    """A row for each watch, with what the rule of its name has by itself."""
    rows = []
    for watch, its in WATCHES.items():
        limit = "none: it is so or not so" if not its.unit else "to be set" if its.limit is None else f"{its.limit:f}"
        unit = f" {its.unit}" if its.limit is not None and its.unit else ""
        rows.append(
            (f"`{watch}`", its.sentence, f"{limit}{unit}", f"{its.for_s} s", its.severity.value,
             its.mend)
        )  # fmt: skip
    return table(("watch", "it fires when", "`limit`", "`for_s`", "`severity`", "do"), rows)
