"""Deribit: perpetuals, futures and options, on the production gateway."""
