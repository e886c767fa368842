"""People linked across the records of all agencies, and the identity store that keeps their keys."""
