"""The data standard: entities, fields and code lists, read from seeds/standard and seeds/codes."""

from orchestration.standard.codes import CodeTable, code_list, code_list_names, code_table
from orchestration.standard.contract import Column, Derived, Entity, Field, load_standard, mapped_entities

__all__ = [
    "CodeTable",
    "Column",
    "Derived",
    "Entity",
    "Field",
    "code_list",
    "code_list_names",
    "code_table",
    "load_standard",
    "mapped_entities",
]
