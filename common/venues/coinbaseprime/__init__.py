"""Coinbase Prime: order entry over FIX 4.2, market data over FIX 5.0 SP2. README.md says what is odd."""
