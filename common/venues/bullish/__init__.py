"""Bullish."""
