"""Kernelway beside today's servers and a bare ZeroMQ client: ``python -m benchmarks``.

Every side does the same work on the same interpreter and ipykernel, in turn within one run, and the work is
checked before its time counts. What is compared:

*bare*
    pyzmq and json on the kernel's own sockets (``bare.py``): what no server can beat.
*kernelway*, *jupyter_server*, *kernel_gateway*
    one WebSocket client (``websocket_client.py``) to each server as its defaults have it
    (``servers.py``), the peers in an environment of their own (``peers.py``).

``scenarios.py`` says what the work is, ``rounds.py`` alternates the sides, ``results.py`` counts.
"""
