"""What holds for every test: reproducible examples, one thread."""

import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mixtura", deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mixtura")
torch.set_num_threads(1)
