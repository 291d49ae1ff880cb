"""The command line: ``kernelway``."""
