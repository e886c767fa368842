"""The persons of the county: who they are, what groups they belong to, and what spoils their records.

They are kept in memory as codes, about 50 bytes each; names, addresses and telephone numbers become text only where a
row needs them.

Nobody exists. Telephone numbers have exchanges that begin with 0 or 1, which no real number has; streets are
invented; postal codes are not assigned.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from orchestration.county.draws import draw, share
from orchestration.county.names import ORIGINS, names, short_forms
from orchestration.county.parameters import Parameters, read_table
from orchestration.county.period import DAY, Period

BLOCK = 1 << 20  # persons made at a time; even, because a twin follows the other
AREAS = ("555", "291", "391", "491", "591", "691", "791", "891", "991", "292", "392", "492")  # none is assigned
EXCHANGES = 200  # 000 to 199
NUMBERS = EXCHANGES * 10_000
KINDS = ("St", "Ave", "Ln", "Rd", "Blvd", "Ct", "Way", "Dr")
STREETS = tuple(f"{row['word']} {kind}" for row in read_table("streets.csv") for kind in KINDS)
AGES = ((0, 0), (5, 10), (14, 18), (35, 32), (60, 45), (90, 70), (100, 95))  # percent of persons, years
AGE_BANDS = ((0, "0-11"), (12, "12-17"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"),
             (65, "65-74"), (75, "75-89"), (90, "90+"))  # fmt: skip
LANGUAGES = {"english": "en", "hispanic": "es", "vietnamese": "vi", "chinese": "zh", "east_african": "so",
             "south_asian": "ar"}  # fmt: skip
PREFERS = {"english": 0, "hispanic": 40, "vietnamese": 60, "chinese": 55, "east_african": 45, "south_asian": 30}
RACES = {
    "english": (("white", 70), ("black", 93), ("american_indian_alaska_native", 97), ("pacific_islander", 100)),
    "hispanic": (("hispanic", 100),),
    "vietnamese": (("asian", 100),),
    "chinese": (("asian", 100),),
    "east_african": (("black", 100),),
    "south_asian": (("asian", 60), ("middle_eastern_north_african", 100)),
}


ANSWERS = ("none", "given", "refused", "withdrawn")  # when asked for consent
NEVER = np.iinfo(np.int64).max
_RACE_TEXTS = sorted({race for races in RACES.values() for race, _ in races})


def population(calls: int, p: Parameters) -> int:
    """Persons who can appear in the files of so many calls; an even number."""
    return max(p.whole("people_least"), int(calls * p["people_per_call"])) // 2 * 2


def familiar(size: int, p: Parameters) -> int:
    """How many of them, the first ones, are familiar faces; at least two."""
    return max(2, int(size * p["familiar_people"]))


class People:
    """All persons, by their number from 0 to ``size`` - 1: arrays of codes, and the texts of the codes."""

    def __init__(self, seed: int, size: int, period: Period, p: Parameters) -> None:
        self.size = size
        self.codes: dict[str, np.ndarray] = {}
        for first in range(0, size, BLOCK):
            n = min(BLOCK, size - first)
            for name, values in _drawn(seed, first, n, size, period, p).items():
                self.codes.setdefault(name, np.empty(size, dtype=values.dtype))[first : first + n] = values
        self.codes["consent"] = np.zeros(size, dtype=np.int8)
        self.texts = _texts(p)

    @property
    def dies(self) -> np.ndarray:
        """Instant of death of each person, ``NEVER`` for most."""
        return self.codes["dies"]

    def take(self, persons: np.ndarray, names: tuple[str, ...] = ()) -> dict[str, pa.Array]:
        """Columns of these persons, in this order, from which ``person_sql`` makes the rest.

        With ``names`` all others are null, which spares looking them up.
        """
        return {name: self._column(name, persons, not names or name in names) for name in self.codes}

    def _column(self, name: str, persons: np.ndarray, is_wanted: bool) -> pa.Array:
        codes, texts = self.codes[name], self.texts.get(name)
        if not is_wanted:
            return pa.nulls(len(persons), pa.string() if texts else pa.from_numpy_dtype(codes.dtype))
        taken = codes[persons]
        if texts is None:
            return pa.array(taken)
        return pa.DictionaryArray.from_arrays(pa.array(taken, mask=taken < 0), texts)

    def ask(self, persons: np.ndarray, answers: list[str]) -> None:
        """Keep what persons have answered when asked for consent."""
        self.codes["consent"][persons] = [ANSWERS.index(answer) for answer in answers]

    def person_sql(self, rows: str) -> str:
        """SQL: rows with a person ``p`` and what ``take`` gives for it, with all else that is known of the person."""
        numbers = 9_900 * (2 * self.size // (len(STREETS) * 9_900) + 1)
        lines = NUMBERS * min(len(AREAS), self.size // NUMBERS + 1)
        return _PERSON_SQL.format(
            rows=rows,
            phone=_phone_sql(lines),
            address=_address_sql("house", numbers),
            old_address=_address_sql(f"(house + {self.size})", numbers),
        )


def _texts(p: Parameters) -> dict[str, pa.Array]:
    """The texts of the coded columns."""
    last = pa.array(_all_names("last"))
    return {
        "first_name": pa.array([*_all_names("woman"), *_all_names("man")]),
        "short_name": pa.array(_shorts()),
        **dict.fromkeys(("surname", "second_surname", "former_surname"), last),
        "race_ethnicity": pa.array(_RACE_TEXTS),
        "language": pa.array([*LANGUAGES.values(), "en"]),
        "name_origin": pa.array(ORIGINS),
        "housing": pa.array(list(p.mix("housing"))),
        "mind": pa.array(ANSWERS[1:]),
        "consent": pa.array(ANSWERS),
    }


def _drawn(seed: int, first: int, n: int, size: int, period: Period, p: Parameters) -> dict[str, np.ndarray]:
    """Persons ``first`` to ``first + n`` in codes."""

    def d(purpose: str) -> np.ndarray:
        return draw(seed, f"person {purpose}", first, n)

    number = np.arange(first, first + n)
    row = np.arange(n)
    is_twin = (number % 2 == 1) & ((d("twin") < p.below("twin")) | (number == 1))
    lives_with = (d("household") < p.below("household")) | is_twin
    lives_with[0] = False
    owner = np.maximum.accumulate(np.where(lives_with, 0, row))  # whose address it is
    like = np.where(is_twin, row - 1, owner)  # whose origin, and last name where it is shared
    origin = _chosen(d("origin"), p.mix("origin"))[like]
    same_name = is_twin | (lives_with & (d("family") < p.below("household_name")))
    same_phone = lives_with & (d("line") < p.below("household_phone"))
    self_or = np.where(same_name, like, row)
    birth = _birth_days(d("birth"), period)
    birth = np.where(is_twin, birth[row - 1], birth)
    age = (period.begin // DAY - birth) * 100 // 36525
    is_familiar = number < familiar(size, p)
    common, often = (p.mix(name) for name in ("housing", "housing_familiar"))
    housing = np.where(is_familiar, _chosen(d("housing"), often), _chosen(d("housing"), common))
    housing = np.where(is_twin, housing[row - 1], housing)
    woman = d("sex") < 2**31
    language = (share(d("language"), 100) < np.array([PREFERS[o] for o in ORIGINS])[origin])[like]
    texts = list(common)
    factors = {
        "unsheltered": housing == texts.index("UNSHELTERED"),
        "shelter": housing == texts.index("SHELTER"),
        "unstable": housing == texts.index("UNSTABLE"),
        "language": language,
        "origin": origin != 0,
        "minor": age < 18,
        "old": age >= 65,
        "woman": woman,
    }
    race = _races(origin, d("race")[like])
    factors["black"] = race == _RACE_TEXTS.index("black")
    percent = np.full(n, 100, dtype=np.int64)
    for name, holds in factors.items():
        percent = np.where(holds, percent * round(100 * p[f"group.{name}"]) // 100, percent)
    dies = d("death") < p.below("death", scale=period.days / 365.25)
    first_name = _first_names(origin, woman, d("first"))
    surname, second, former = (
        _by_origin(origin, "last", draws).astype(np.int16)
        for draws in (d("last")[self_or], d("second")[self_or], d("old"))
    )
    has_two = (origin == 1) & (d("two")[self_or] < p.below("second_surname"))
    has_former = woman & (age >= 18) & (d("changed") < p.below("surname_changed"))
    return {
        "first_name": first_name.astype(np.int16),
        "short_name": _short_of()[first_name],
        "surname": surname,
        "second_surname": np.where(has_two, second, np.int16(-1)),
        "former_surname": np.where(has_former, former, np.int16(-1)),
        "birth": birth.astype(np.int32),
        "age": age.astype(np.int16),
        "woman": woman,
        "race_ethnicity": race.astype(np.int8),
        "language": np.where(language, origin, len(LANGUAGES)).astype(np.int8),
        "name_origin": origin.astype(np.int8),
        "housing": housing.astype(np.int8),
        "phone_line": (np.where(same_phone, owner, row) + first).astype(np.int32),
        "house": (np.where(lives_with, owner, row) + first).astype(np.int32),
        "moved": d("moved") < p.below("moved", scale=period.days / 365.25),
        "twin": np.select([is_twin, _either(is_twin)], [-1, 1], 0).astype(np.int8),
        "is_familiar": is_familiar,
        "has_sealed_record": d("sealed") < p.below("sealed"),
        "veteran": d("veteran") < p.below("veteran"),
        "mind": _mind(d("consent"), number, p).astype(np.int8),
        "dies": np.where(dies, period.begin + share(d("dies"), period.end - period.begin), NEVER),
        "dirt_percent": percent.astype(np.uint16),
    }


def _either(is_twin: np.ndarray) -> np.ndarray:
    """True for both of each pair."""
    return is_twin | np.append(is_twin[1:], False)


def _chosen(draws: np.ndarray, edges: dict[str, int]) -> np.ndarray:
    """Places in a weighted choice."""
    return np.searchsorted(np.array(list(edges.values()), dtype=np.uint64), draws, side="right")


def _birth_days(draws: np.ndarray, period: Period) -> np.ndarray:
    """Birth dates as days since 1970, by the ages of AGES."""
    at = share(draws, 100 * 10_000)
    edges = np.array([percent * 10_000 for percent, _ in AGES])
    years = np.array([year * 36525 // 100 for _, year in AGES])
    k = np.searchsorted(edges, at, side="right") - 1
    old = years[k] + (at - edges[k]) * (years[k + 1] - years[k]) // (edges[k + 1] - edges[k])
    return period.begin // DAY - 1 - old


def _all_names(which: str) -> list[str]:
    """Names of all origins, one list after the other."""
    return [text for name in ORIGINS for text in names(name, which).texts]


def _by_origin(origin: np.ndarray, which: str, draws: np.ndarray) -> np.ndarray:
    """Names by origin, as places in ``_all_names``: each person's from the list of its origin."""
    lists = [names(name, which) for name in ORIGINS]
    starts = np.cumsum([0, *(len(one.texts) for one in lists)])
    index = np.zeros(len(draws), dtype=np.int32)
    for k, one in enumerate(lists):
        mine = origin == k
        found = np.minimum(np.searchsorted(one.edges, draws[mine], side="right"), len(one.texts) - 1)
        index[mine] = starts[k] + found
    return index


def _first_names(origin: np.ndarray, woman: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """First names by origin and sex, as places in the women's names and then the men's."""
    men = len(_all_names("woman")) + _by_origin(origin, "man", draws)
    return np.where(woman, _by_origin(origin, "woman", draws), men)


@cache
def _short_of() -> np.ndarray:
    """Place of the short form of each first name in ``_shorts``, -1 for none."""
    places = {name: k for k, name in enumerate(short_forms())}
    return np.array([places.get(name, -1) for name in (*_all_names("woman"), *_all_names("man"))], dtype=np.int16)


def _shorts() -> list[str]:
    return list(short_forms().values())


def _races(origin: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Race and ethnicity by origin, as places in ``_RACE_TEXTS``."""
    texts = _RACE_TEXTS
    at = share(draws, 100)
    index = np.zeros(len(at), dtype=np.int64)
    for k, name in enumerate(ORIGINS):
        edges = [edge for _, edge in RACES[name]]
        places = np.array([texts.index(race) for race, _ in RACES[name]])
        index = np.where(origin == k, places[np.minimum(np.searchsorted(edges, at, "right"), len(edges) - 1)], index)
    return index


def _mind(draws: np.ndarray, number: np.ndarray, p: Parameters) -> np.ndarray:
    """What a person answers when asked for consent. Of the first pair of twins, one refuses and the other agrees."""
    refused = p.below("consent_refused")
    index = np.select([draws < refused, draws < refused + p.below("consent_withdrawn")], [1, 2], 0)
    return np.where(number == 0, 1, np.where(number == 1, 0, index))


def _phone_sql(lines: int) -> str:
    """Telephone number of a line, one of so many."""
    place = f"(cast(phone_line as bigint) * 1299709 % {lines})"
    return (
        f"{list(AREAS)}[1 + cast({place} // {NUMBERS} as integer)] || '-' "
        f"|| substr(cast(1000 + {place} // 10000 % {EXCHANGES} as varchar), 2) || '-' "
        f"|| substr(cast(10000 + {place} % 10000 as varchar), 2)"
    )


def _address_sql(house: str, numbers: int) -> str:
    """House number and street: each house has its own while there are enough."""
    place = f"(cast({house} as bigint) * 15485863 % {len(STREETS) * numbers})"
    return (
        f"cast(1 + {place} % {numbers} as varchar) || ' ' || {list(STREETS)}[1 + cast({place} // {numbers} as integer)]"
    )


_BANDS = " ".join(f"when age >= {low} then '{band}'" for low, band in reversed(AGE_BANDS))
_PERSON_SQL = f"""
select *, case when second_surname is null then surname else surname || ' ' || second_surname end as last_name,
    case when second_surname is not null then surname end as one_surname,
    case when former_surname <> surname then former_surname end as old_last_name,
    date '1970-01-01' + birth as birth_date, case {_BANDS} end as age_band,
    case when woman then 'woman' else 'man' end as sex,
    case when housing = 'UNSHELTERED' and phone_line % 5 < 2 then null else {{phone}} end as phone,
    case housing when 'UNSHELTERED' then null
        when 'SHELTER' then cast(100 + 100 * (house % 4) as varchar) || ' Shelter Way'
        when 'INSTITUTION' then '900 Nowhere Campus'
        else {{address}} end as address,
    case when moved then {{old_address}} end as old_address, age < 18 as is_minor,
    case when age >= 18 then veteran end as is_veteran
from ({{rows}})
"""
