"""The ``allred`` command. Nothing here is imported by ``import allred``."""
