"""``python -m mixtura``."""

import sys

from mixtura.cli import main

sys.exit(main())
