"""Table III: what online tree-pruning saves Algorithm 2, in visited nodes and in time.

    python benchmarks/table3.py [--rates 5 50 200] [--seeds 1] [--cap 2000000000] [--csv FILE]

The figure ``table3`` of ``edgeopt figures batching`` as a table, with rates and node cap to choose; see
`edgeopt.plots.batching.pruning`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeopt.instances.io import write_bytes
from edgeopt.plots.base import Setting, table_bytes
from edgeopt.plots.batching.pruning import CAP, RATES, table3


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="arrival rates (1/s)")
    parser.add_argument("--seeds", type=int, default=1, help="instances a rate, of the seeds from 0 on")
    parser.add_argument("--cap", type=int, default=CAP, help="most nodes a search may visit")
    parser.add_argument("--csv", type=Path, help="file to write the table to")
    options = parser.parse_args()
    made = table3(Setting(options.seeds, {"rates": options.rates, "cap": options.cap}))
    table = table_bytes(made)
    print(table.decode(), end="")
    for sentence in made.findings:
        print(sentence)
    if options.csv is not None:
        write_bytes(table, options.csv)


if __name__ == "__main__":
    main()
