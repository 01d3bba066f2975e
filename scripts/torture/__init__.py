"""Torture of the real processes: a load, faults, and the checks that nothing was lost, doubled or forgotten."""
