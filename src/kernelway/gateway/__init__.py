"""Who may do what: the HTTP and WebSocket application in front of a host."""
