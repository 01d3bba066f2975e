"""HTX Spot."""
