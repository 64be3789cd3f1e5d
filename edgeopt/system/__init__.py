"""Physics: what a channel carries, what a model weighs and costs, what hardware offers.

This room knows no problem and no solver. Import from the module that holds the subject, so that a
caller pays only for what it uses (``exact`` and ``transformer`` load without NumPy):

- ``radio``, ``path_loss``: decibels, noise, gains, fading, spectral efficiency, bandwidth shares
- ``mimo``: channel matrices between arrays of antennas, Rician and Rayleigh block fading
- ``allreduce``: latency of tensor-parallel inference, with sums over a wireless band
- ``exact``: decimals as fractions, proved enclosures of ``log2``, exact roundings
- ``transformer``: memory and FLOPs of a decoder-only transformer, eqs. (3)-(8)
- ``families``, ``config``, ``catalogue``: models by family, from a ``config.json``, by name
- ``layers``: bits and FLOP layer by layer of image networks, decoders, and tables measured by others
- ``quantization``: memory, time and accuracy of a quantization scheme, eqs. (9) and (11)
- ``hardware``: compute rate, memory and bandwidth of edge devices

Equation numbers are those of the OT-GAH paper (IEEE Transactions on Wireless Communications,
doi 10.1109/TWC.2024.3497923). Units are SI; decibels appear only in the converters of ``radio``.
"""
