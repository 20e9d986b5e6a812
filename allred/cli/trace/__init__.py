"""``allred trace``: what a trace comes to, and a picture of it."""
