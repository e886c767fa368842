"""The persons of the county: who they are, what groups they belong to, and what spoils their records.

Nobody exists. Telephone numbers have exchanges that begin with 0 or 1, which no real number has; streets are
invented; postal codes are not assigned.
"""

from __future__ import annotations

import duckdb
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


def population(calls: int, p: Parameters) -> int:
    """Persons who can appear in the files of so many calls; an even number."""
    return max(p.whole("people_least"), int(calls * p["people_per_call"])) // 2 * 2


def familiar(size: int, p: Parameters) -> int:
    """How many of them, the first ones, are familiar faces; at least two."""
    return max(2, int(size * p["familiar_people"]))


def make_people(con: duckdb.DuckDBPyConnection, seed: int, size: int, period: Period, p: Parameters) -> None:
    """Creates the table ``person``: one row per person, ``p`` from 0 to ``size`` - 1, in that order."""
    con.execute(shorts_sql())
    for first in range(0, size, BLOCK):
        con.register("drawn", _drawn(seed, first, min(BLOCK, size - first), size, period, p))
        verb = "insert into person" if first else "create table person as"
        con.execute(f"{verb} {_PERSON_SQL.format(sealed=p.below('sealed'), veteran=p.below('veteran'))}")
        con.unregister("drawn")


def _drawn(seed: int, first: int, n: int, size: int, period: Period, p: Parameters) -> pa.Table:
    """Persons ``first`` to ``first + n`` in numbers and names."""

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
    race, race_of = _races(origin, d("race")[like])
    factors["black"] = race_of == "black"
    percent = np.full(n, 100, dtype=np.int64)
    for name, holds in factors.items():
        percent = np.where(holds, percent * round(100 * p[f"group.{name}"]) // 100, percent)
    dies = d("death") < p.below("death", scale=period.days / 365.25)
    house = np.where(lives_with, owner, row) + first
    return pa.table(
        {
            "p": number,
            "first_name": _first_names(origin, woman, d("first")),
            "last_name": _by_origin(origin, "last", d("last")[self_or]),
            "second_name": _by_origin(origin, "last", d("second")[self_or]),
            "has_two": (origin == 1) & (d("two")[self_or] < p.below("second_surname")),
            "old_name": _by_origin(origin, "last", d("old")),
            "has_old": woman & (age >= 18) & (d("changed") < p.below("surname_changed")),
            "birth": birth,
            "age": age,
            "woman": woman,
            "race": race,
            "language": pa.array([*LANGUAGES.values(), "en"]).take(
                pa.array(np.where(language, origin, len(LANGUAGES)))
            ),
            "origin": pa.array(ORIGINS).take(pa.array(origin)),
            "housing": pa.array(texts).take(pa.array(housing)),
            "line": np.where(same_phone, owner, row) + first,
            "house": house,
            "old_house": house + size,
            "numbers": np.full(n, 9_900 * (2 * size // (len(STREETS) * 9_900) + 1)),
            "lines": np.full(n, NUMBERS * min(len(AREAS), size // NUMBERS + 1)),
            "moved": d("moved") < p.below("moved", scale=period.days / 365.25),
            "twin_of": pa.array(np.where(is_twin, number - 1, number + 1), mask=~_either(is_twin)),
            "is_familiar": is_familiar,
            "sealed": d("sealed"),
            "veteran": d("veteran"),
            "mind": _mind(d("consent"), number, p),
            "dies": pa.array(period.begin + share(d("dies"), period.end - period.begin), mask=~dies),
            "percent": percent,
        }
    )


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


def _by_origin(origin: np.ndarray, which: str, draws: np.ndarray) -> pa.Array:
    """Names by origin; all lists are picked from and the right one is taken, which no order of rows can change."""
    lists = [names(name, which) for name in ORIGINS]
    starts = np.cumsum([0, *(len(one.texts) for one in lists)])
    index = np.zeros(len(draws), dtype=np.int32)
    for k, one in enumerate(lists):
        mine = origin == k
        found = np.minimum(np.searchsorted(one.edges, draws[mine], side="right"), len(one.texts) - 1)
        index[mine] = starts[k] + found
    return pa.array([text for one in lists for text in one.texts]).take(pa.array(index))


def _first_names(origin: np.ndarray, woman: np.ndarray, draws: np.ndarray) -> pa.Array:
    """First names by origin and sex."""
    women, men = _by_origin(origin, "woman", draws), _by_origin(origin, "man", draws)
    return pa.compute.if_else(pa.array(woman), women, men)


def _races(origin: np.ndarray, draws: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Race and ethnicity by origin, as Arrow and as numpy."""
    texts = sorted({race for races in RACES.values() for race, _ in races})
    at = share(draws, 100)
    index = np.zeros(len(at), dtype=np.int64)
    for k, name in enumerate(ORIGINS):
        edges = [edge for _, edge in RACES[name]]
        places = np.array([texts.index(race) for race, _ in RACES[name]])
        index = np.where(origin == k, places[np.minimum(np.searchsorted(edges, at, "right"), len(edges) - 1)], index)
    return pa.array(texts).take(pa.array(index)), np.array(texts)[index]


def _mind(draws: np.ndarray, number: np.ndarray, p: Parameters) -> pa.Array:
    """What a person answers when asked for consent. Of the first pair of twins, one refuses and the other agrees."""
    refused = p.below("consent_refused")
    index = np.select([draws < refused, draws < refused + p.below("consent_withdrawn")], [1, 2], 0)
    index = np.where(number == 0, 1, np.where(number == 1, 0, index))
    return pa.array(["given", "refused", "withdrawn"]).take(pa.array(index))


def shorts_sql() -> str:
    """Rows of a table of short forms: first name, short form."""
    pairs = ", ".join(f"('{name}', '{short}')" for name, short in short_forms().items())
    return f"create table short_form as select * from (values {pairs}) as t (name, short)"


_PHONE = f"""
    {list(AREAS)}[1 + cast((line * 1299709 % lines) // {NUMBERS} as integer)] || '-'
    || lpad(cast((line * 1299709 % lines) // 10000 % {EXCHANGES} as varchar), 3, '0') || '-'
    || lpad(cast((line * 1299709 % lines) % 10000 as varchar), 4, '0')
"""


def _address_sql(house: str) -> str:
    """House number and street: each house has its own while there are enough."""
    place = f"({house} * 15485863 % ({len(STREETS)} * numbers))"
    return f"cast(1 + {place} % numbers as varchar) || ' ' || {list(STREETS)}[1 + cast({place} // numbers as integer)]"


_BANDS = " ".join(f"when age >= {low} then '{band}'" for low, band in reversed(AGE_BANDS))
_PERSON_SQL = f"""
    select p, first_name, case when has_two then last_name || ' ' || second_name else last_name end as last_name,
        short as short_name, case when has_two then last_name end as one_surname,
        case when has_old and old_name <> last_name then old_name end as old_last_name,
        date '1970-01-01' + cast(birth as integer) as birth_date, cast(age as utinyint) as age_years,
        case {_BANDS} end as age_band, case when woman then 'woman' else 'man' end as sex, race as race_ethnicity,
        language, origin as name_origin, housing,
        case when housing = 'UNSHELTERED' and line % 5 < 2 then null else {_PHONE} end as phone,
        case housing when 'UNSHELTERED' then null
            when 'SHELTER' then cast(100 + 100 * (house % 4) as varchar) || ' Shelter Way'
            when 'INSTITUTION' then '900 Nowhere Campus'
            else {_address_sql("house")} end as address,
        case when moved then {_address_sql("old_house")} end as old_address,
        age < 18 as is_minor, twin_of, is_familiar, sealed < {{sealed}} as has_sealed_record,
        case when age < 18 then null else veteran < {{veteran}} end as is_veteran, mind, dies,
        cast(percent as usmallint) as dirt_percent
    from drawn
    left join short_form on short_form.name = drawn.first_name
    order by p
"""
