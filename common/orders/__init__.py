"""What the log says of orders, folded once: the books that every process reads the same way."""
