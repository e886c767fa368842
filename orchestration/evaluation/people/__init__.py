"""Studies of rows: calls or contacts of which some were served, or drawn by lot."""
