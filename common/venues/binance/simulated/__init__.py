"""Binance Spot's side of the wire, simulated: a second reading of its document."""
