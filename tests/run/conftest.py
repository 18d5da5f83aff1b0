"""What runs over ports, against the ports' implementations in memory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))
