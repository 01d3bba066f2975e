"""Crypto.com Exchange."""
