"""``allred tune``: measures where one algorithm overtakes another, and writes the table that the library chooses by."""
