"""Kernelway: run code on Jupyter kernels anywhere as if they were local."""

__version__ = "0.1.0"
