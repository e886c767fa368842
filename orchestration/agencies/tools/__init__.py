"""Tools for whoever brings in an agency: draft a folder from its files, check a mapping, compare two extracts."""
