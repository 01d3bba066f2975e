"""The simulated exchange: a FIX acceptor with a matching engine, balances, a REST side and a log of its own."""
