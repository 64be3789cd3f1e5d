"""Studies: the cross product of instances, solvers, seeds and options, run once, kept for good, and reported."""
