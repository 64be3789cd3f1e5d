"""``python -m edgeopt``: the command line."""

from edgeopt.cli import main

main()
