"""The table of targets: measures what each is about, and says whether it is met. ``python -m targets --help``."""
