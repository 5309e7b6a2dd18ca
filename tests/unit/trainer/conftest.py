"""One thread for each test process: two workers with two threads each would wait for one another on two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
