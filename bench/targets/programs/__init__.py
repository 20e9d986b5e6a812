"""Programs that run as ranks: ``python -m targets.programs.NAME RANK RANKS FOLDER SETTINGS``."""
