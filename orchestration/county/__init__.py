"""A fictional county in which everything is known: landing files of four agencies, and the truth beside them.

Nothing in these files is real. Persons carry names drawn from faker's tables, telephone numbers with exchanges that
no number has, streets that do not exist, unassigned postal codes and coordinates near zero.

All rows are made by SQL and numpy over whole columns, in blocks of calls, so memory does not grow with the calls but
for a few numbers of each person. Draws come from a counter (``draws``), sums are over integers, output is ordered:
the same arguments give the same bytes with any number of threads.

``write_county`` is all that other modules need; docs/county.md says what is in the files and the truth.
"""

from orchestration.county.run import AGENCIES, FEEDS, copy_agencies, write_county

__all__ = ["AGENCIES", "FEEDS", "copy_agencies", "write_county"]
