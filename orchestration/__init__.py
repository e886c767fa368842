"""The Dagster code location of the warehouse, and everything in it that is not SQL."""
