"""Bitget, which publishes no FIX: a bridge speaks it for the venue."""
