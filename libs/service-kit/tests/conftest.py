"""Makes the sample service importable by its name, as an installed service is."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sample"))
