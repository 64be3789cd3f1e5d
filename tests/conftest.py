"""Hypothesis profiles: `default` for every run, `thorough` before a release (HYPOTHESIS_PROFILE=thorough)."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("default", max_examples=40, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("thorough", max_examples=5000, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell that starts the tests in the background has Ctrl-C ignored, in them and in the processes they start. Some of
# them test what Ctrl-C does.
signal.signal(signal.SIGINT, signal.default_int_handler)
