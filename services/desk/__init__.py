"""The desk: a web page on the stack. It reads the log's files and asks the actors, and nobody waits for it."""
