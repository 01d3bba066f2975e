"""Bybit Spot."""
