"""Sockets, TLS and aiohttp server code over the protocol, with no policy: what all floors share."""
