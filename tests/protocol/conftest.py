"""Properties are checked without a deadline for each example: the machine may be busy."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")
