"""The actor `risk`: every command is checked and its exposure reserved here, in one step, before a session hears of
it.
"""
