"""Releases: immutable Parquet files by tier with a manifest, and the link `current`."""
