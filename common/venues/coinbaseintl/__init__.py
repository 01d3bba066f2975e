"""Coinbase International: order entry and drop copy over FIX 5.0 SP2, prices over REST. README.md says what is odd."""
