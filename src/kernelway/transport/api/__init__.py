"""Jupyter's REST API for kernels and sessions, over whatever has them: see :class:`hosts.Host`."""
