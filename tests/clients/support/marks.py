"""How a test's ec2sim is started, for the kinds of test that there are more than one of."""

import pytest

in_real_time = pytest.mark.sim(speed=1, knobs={"maxReadLagSeconds": 0})
"""What takes EC2 a minute takes a minute: whatever is pending stays so. Reads do not lag."""

in_great_number = pytest.mark.sim(knobs={"concurrentImageCopies": None, "concurrentSnapshotCopies": None})
"""As many copies at a time as a test wants for its list."""
