"""The published formats that the assignment problem reads: the one place where a new one is registered."""

from edgeopt.instances.assignment import khan, orlib
from edgeopt.instances.base import TextFormat

FORMATS = {
    "orlib-gap": TextFormat(orlib.decode_gap, orlib.fits_gap),
    "orlib-mknap": TextFormat(orlib.decode_mknap, orlib.fits_mknap),
    "khan-mmkp": TextFormat(khan.decode, khan.fits),
}
