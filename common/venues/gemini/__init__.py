"""Gemini: order entry and market data over FIX 4.4, and REST for what FIX does not tell. README.md has what is odd."""
