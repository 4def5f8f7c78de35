"""The same INI behind every server: real processes, real sockets, many requests at once."""
