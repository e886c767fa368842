"""The data standard: entities, fields and code lists, read from seeds/standard and seeds/codes."""

from orchestration.standard.codes import code_list, code_list_names
from orchestration.standard.contract import Column, Derived, Entity, Field, load_standard

__all__ = ["Column", "Derived", "Entity", "Field", "code_list", "code_list_names", "load_standard"]
