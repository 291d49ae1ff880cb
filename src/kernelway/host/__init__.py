"""Where kernels live: the only floor that starts processes, reads connection files and speaks ZeroMQ."""
