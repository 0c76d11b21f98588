"""The simulation's tests share the modules of their folder with `run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
