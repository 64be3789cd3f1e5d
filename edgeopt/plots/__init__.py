"""Figures: numbers first, as a table, then a picture of them with matplotlib (extra ``plot``).

A problem has figures by being a package beside the others here: `edgeopt.plots.<problem>.FIGURES`.
"""
