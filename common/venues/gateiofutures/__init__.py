"""Gate.io Futures, linear perpetuals that are settled in USDT: no FIX is published, and a bridge speaks it."""
