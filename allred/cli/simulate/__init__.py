"""``allred simulate``: what collectives would take on clusters that are not at hand."""
