"""What a person or a program gets to see: data on stdout, talk on stderr.

Text from devices, files and models is printed to the letter, but what would steer the
terminal or cannot be seen stands there as an escape. With `json` there is exactly one object on stdout and nobody is asked.
"""

from orion.terminal.speaking import Terminal
from orion.terminal.tables import GAP, WHOLE, Chart
from orion.terminal.values import MAX_CELL, MAX_SHOWN, moment

__all__ = ["GAP", "MAX_CELL", "MAX_SHOWN", "WHOLE", "Chart", "Terminal", "moment"]
