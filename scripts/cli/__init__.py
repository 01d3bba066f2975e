"""The `fixring` command line: a module per command or group, loaded only when it is asked for."""
