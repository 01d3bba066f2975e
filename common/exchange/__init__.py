"""The simulated exchange as a library: matching engine, balances, a log of its own, market data, faults."""
