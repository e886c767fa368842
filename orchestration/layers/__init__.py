"""The layers of the warehouse, their gates, and the ledger and lock that all of them obey."""
