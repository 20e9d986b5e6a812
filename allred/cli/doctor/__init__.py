"""``allred doctor``: what this machine allows and lacks, and what to do about it."""
