"""FIX 4.4 in front of a venue that has none: a FIX acceptor with a durable log, REST and WebSocket behind it."""
