"""Clients that we did not write, unmodified, against a gateway started as a user starts it."""
