"""The programs: where, when and for which calls they work, and what they truly change.

Who is eligible is settled before anybody arrives: by the type at open, the district, the hour and the start. Among
eligible calls chance decides who is served, so the effect can be read from the files of a clean county.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.county.parameters import WHOLE, Parameters
from orchestration.county.period import Period

OUTCOMES = ("arrest", "hold", "ed")  # in the order of their place on the draw


@dataclass(frozen=True)
class Program:
    """A program. ``starts``: district -> part of the period that has passed when it starts there."""

    key: str
    number: str
    name: str
    model: str
    code: int
    starts: dict[str, float]
    hours: tuple[int, int]
    types: tuple[str, ...]
    roles: str

    def start(self, period: Period, sector: str) -> int:
        """Instant at which it starts in a district."""
        return period.month_start(round(self.starts[sector] * period.months))

    def open_sql(self, period: Period) -> str:
        """SQL over sector, hour, s and type_open: whether the program takes such a call now."""
        areas = " or ".join(f"(sector = '{sector}' and s >= {self.start(period, sector)})" for sector in self.starts)
        types = ", ".join(f"'{code}'" for code in self.types)
        hours = f"hour between {self.hours[0]} and {self.hours[1] - 1}"
        return f"(({areas}) and {hours} and type_open in ({types}))"


POSSIBLE = ("MENTAL", "SUICID", "WELCHK", "DISTRB", "UNWANT", "SUSPPR", "UNKTRB", "FAMDST", "INTOXP")
PROGRAMS = (
    Program("core", "P-CORE", "Co-Responder Teams", "RIDE", 1, {"A": 0.17, "C": 0.5}, (10, 22), POSSIBLE,
            "OFFICER|CLINICIAN"),
    Program("mct", "P-MCT", "Mobile Crisis Team", "MOBILE", 2, dict.fromkeys("ABCD", 0.34), (0, 24),
            ("MENTAL", "SUICID", "WELCHK", "UNKTRB"), "CLINICIAN|PEER"),
    Program("alt", "P-ALT", "Community Response", "NOPOLICE", 3, {"D": 0.34}, (8, 20),
            ("WELCHK", "UNWANT", "INTOXP", "CITAST"), "COMMUNITY|MEDIC"),
    Program("cit", "P-CIT", "CIT Training Wave", "CIT", 4, {"B": 0.5}, (0, 24), POSSIBLE, "OFFICER"),
)  # fmt: skip
BY_KEY = {program.key: program for program in PROGRAMS}


def outcome_sql(p: Parameters, draw: str, program: str) -> str:
    """The outcome of a contact from one draw and the program that served it: arrest, hold, ed or rest.

    The outcomes have fixed places on the draw. A program that lowers one gives the end of its place to the rest; one
    that raises it takes from the end of the rest. So each contact has an outcome with and without a program, and
    their difference is the true effect.
    """
    cases = [f"when {code} then {_places_sql(p, key, draw)}" for code, key in _codes()]
    return f"case {program} {' '.join(cases)} else {_places_sql(p, None, draw)} end"


def _codes() -> list[tuple[int, str]]:
    return [(program.code, program.key) for program in PROGRAMS]


def _places_sql(p: Parameters, key: str | None, draw: str) -> str:
    """A CASE over one draw for one program, or for none."""
    whens, low, high = [], 0, WHOLE
    for name in OUTCOMES:
        width = p.below(name)
        ratio = p[f"effect.{key}.{name}"] if key else 1.0
        kept = round(width * min(ratio, 1.0))
        whens.append(f"when {draw} >= {low} and {draw} < {low + kept} then '{name}'")
        added = round(width * max(ratio - 1.0, 0.0))
        if added:
            whens.append(f"when {draw} >= {high - added} and {draw} < {high} then '{name}'")
            high -= added
        low += width
    return f"case {' '.join(whens)} else 'rest' end"


def by_program_sql(p: Parameters, program: str, name: str, without: float, scale: float) -> str:
    """A CASE that gives, for each program, its effect ``name`` times ``scale``, rounded; else ``without``."""
    whens = " ".join(f"when {code} then {round(p[f'effect.{key}.{name}'] * scale)}" for code, key in _codes())
    return f"case {program} {whens} else {round(without * scale)} end"


def served_sql(p: Parameters, draw: str) -> str:
    """WHENs that give the code of the team that takes a call. The mobile crisis team takes what the others leave:
    it has a place of its own on the draw; the other two never work in one district.
    """
    others = max(p.below("served.core"), p.below("served.alt"))
    if others + p.below("served.mct") > WHOLE:
        raise ValueError("served.mct and the larger of served.core and served.alt add up to more than 1")
    places = {"core": (0, p.below("served.core")), "alt": (0, p.below("served.alt"))}
    places["mct"] = (others, others + p.below("served.mct"))
    return " ".join(
        f"when open_{key} and {draw} >= {low} and {draw} < {high} then {BY_KEY[key].code}"
        for key, (low, high) in places.items()
    )
