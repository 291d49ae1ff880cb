"""What travels between the floors, as pure functions and values: no asyncio, no sockets, no clock."""
