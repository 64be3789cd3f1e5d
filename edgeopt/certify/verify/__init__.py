"""Check a certificate with nothing but the Python standard library: no solver, no numpy, nothing of edgeopt.

``python -m edgeopt.certify.verify CERT [INSTANCE]``, or copy this folder to any machine with Python 3.11 and
run ``python -S -I FOLDER CERT [INSTANCE]``. Every number is a Python integer; no float occurs.

Read in this order: `certificate` (what a certificate claims, and the verdict), `program` (the problem and what a
solution is), `proof_tree` (how a tree of cases proves a bound), then a file for each kind of vertex: `vertex_leaf`,
`vertex_split`, `vertex_bins`, `vertex_chains`, `vertex_knapsack`. `reading` is the strict reader of JSON.
A further kind of proof is a further file ``proof_<kind>.py`` here, found by its name.
"""
