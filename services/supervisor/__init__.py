"""The supervisor of one Procfile line: starts the actors of its kind, restarts them, and stops them in order."""
