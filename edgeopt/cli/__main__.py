"""``python -m edgeopt.cli`` is the program ``edgeopt``."""

from edgeopt.cli import main

main()
