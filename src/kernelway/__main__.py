"""``python -m kernelway``."""

import sys

from kernelway.cli.main import main

sys.exit(main())
