"""How a test's ec2sim is started, for the kinds of test that there are more than one of."""

import pytest

STILL = 0.001
"""A second takes a quarter of an hour: no bucket fills and no copy ends, however slow the machine."""

while_time_stands_still = pytest.mark.sim(speed=STILL, knobs={"maxReadLagSeconds": 0})
"""Whatever is pending stays so. Reads do not lag: time would not heal them."""

in_great_number = pytest.mark.sim(knobs={"concurrentImageCopies": None, "concurrentSnapshotCopies": None})
"""As many copies at a time as a test wants for its list."""

at_great_length = pytest.mark.sim(knobs={"baseMilliseconds": 10**9})
"""Captures and copies outlast the test, and all else takes its usual time."""
