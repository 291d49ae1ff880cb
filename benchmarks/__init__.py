"""Kernelway beside today's servers and a bare ZeroMQ client: ``python -m benchmarks``.

Every side does the same work on the same interpreter and ipykernel, in turn within one run, and the work is
checked before its value counts. What is compared, in ``sides.py``:

*bare*
    pyzmq and json on the kernel's own sockets (``bare.py``): what no server can beat.
*kernelway*, *jupyter_server*, *kernel_gateway*, and variants of them
    one WebSocket client (``websocket_client.py``) to each server (``servers.py``), the peers in an
    environment of their own (``peers.py``).

``scenarios`` says what the work is: single figures, and in ``scenarios/growth.py`` figures at several points.
``comparison.py`` is one run: ``rounds.py`` and ``growing.py`` let the sides alternate. ``results.py`` counts,
``tables.py``, ``plots.py`` and ``pages.py`` show.
"""
