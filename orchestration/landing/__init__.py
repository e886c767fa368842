"""The landing zone: files as they came, once, with a manifest."""

from orchestration.landing.readers import Refusal, count_padded, header_of, read_raw
from orchestration.landing.zone import LandedFile, Manifest, land_drop

__all__ = ["LandedFile", "Manifest", "Refusal", "count_padded", "header_of", "land_drop", "read_raw"]
