"""``allred explain``: which algorithm carries out a call, why, and what it does."""
