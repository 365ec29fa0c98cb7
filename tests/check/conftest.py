"""Make the rewards beside this file importable by name, here and in the processes of a check."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("check", deadline=None, derandomize=True)
settings.load_profile("check")
