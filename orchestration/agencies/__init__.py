"""Agency folders: all that is particular to one agency, and the compiler of their mappings."""

from orchestration.agencies.folder import Agency, AgencyError, EntityMapping, Feed, find_agencies, load_agency
from orchestration.agencies.mapping import (
    check_agency,
    compile_entity,
    filled,
    find_traits,
    pieces_sql,
    source_columns,
)

__all__ = [
    "Agency",
    "AgencyError",
    "EntityMapping",
    "Feed",
    "check_agency",
    "compile_entity",
    "filled",
    "find_agencies",
    "find_traits",
    "load_agency",
    "pieces_sql",
    "source_columns",
]
