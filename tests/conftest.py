"""One thread for each test process, before anything imports torch: more would wait for one another on two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
