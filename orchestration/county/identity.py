"""How a custodian writes a person down: names, birth date, telephone, address and number, with what spoils them.

``written_sql`` takes rows that carry the columns of ``person`` and seven draws ``q1`` to ``q7`` and adds what the
custodian's record says and ``person_dirt``, the kinds of dirt on it. A share of parameters.csv holds in the reference
group (``dirt_percent`` 100) at a custodian of quality 1; groups and custodians multiply it.
"""

from __future__ import annotations

from orchestration.county.parameters import WHOLE, Parameters

DRAWS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7")
NAME_AND_PHONE = ("caller",)  # custodians that write down no more
NAME_CODES = ("first_name", "short_name", "surname", "second_surname", "former_surname", "woman", "phone_line", "housing",
              "dirt_percent")  # what they need of ``People``  # fmt: skip
# kinds that share a draw, so that at most one of each row happens
NAME = ("typo", "nickname", "swapped_name")
SURNAME = ("old_surname", "surname_part")
BIRTH = ("missing_birth_date", "wrong_birth_date")
PHONE = ("missing_phone", "wrong_phone")
CALLING = ("number_not_sent", "wrong_phone")  # who calls is not asked for a number: it comes with the call
ADDRESS = ("missing_address", "abbreviated_address", "old_address")
KINDS = (*NAME, *SURNAME, *BIRTH, *PHONE, CALLING[0], *ADDRESS, "john_doe", "second_number")


def _places(p: Parameters, draw: str, kinds: tuple[str, ...], custodian: str) -> str:
    """A CASE that names the kind that happens, or gives null. Each kind has its place; it grows with the group."""
    whens, low = [], 0
    for kind in kinds:
        high = low + p.below(kind, f"quality.{custodian}")
        at = f"cast({draw} as bigint) * 100"
        whens.append(
            f"when {at} >= {low} * cast(dirt_percent as bigint) and {at} < {high} * cast(dirt_percent as bigint) "
            f"and {_possible(kind)} then '{kind}'"
        )
        low = high
    return f"case {' '.join(whens)} end"


def _possible(kind: str) -> str:
    """SQL: whether the kind can happen to this person."""
    return {
        "nickname": "short_name is not null",
        "typo": "length(first_name) > 2 and length(last_name) > 2",
        "old_surname": "old_last_name is not null",
        "surname_part": "one_surname is not null",
        "old_address": "old_address is not null",
        "missing_address": "address is not null",
        "abbreviated_address": "address is not null",
        "missing_phone": "phone is not null",
        "number_not_sent": "phone is not null",
        "wrong_phone": "phone is not null",
    }.get(kind, "true")


def _typo(name: str, draw: str) -> str:
    """A letter left out, doubled or replaced by the next one of the alphabet, at a drawn place after the first."""
    at = f"(2 + cast({draw} % (length({name}) - 1) as integer))"
    letter = f"substr({name}, {at}, 1)"
    return (
        f"case ({draw} >> 16) % 3 when 0 then substr({name}, 1, {at} - 1) || substr({name}, {at} + 1) "
        f"when 1 then substr({name}, 1, {at}) || substr({name}, {at}) "
        f"else substr({name}, 1, {at} - 1) || chr(case when {letter} in ('z', ' ', '-', '''') or ascii({letter}) > 121 "
        f"then 97 else ascii({letter}) + 1 end) || substr({name}, {at} + 1) end"
    )


def written_sql(rows: str, p: Parameters, custodian: str, prefix: str) -> str:
    """SQL: the rows with w_first, w_last, w_birth (date), w_phone, w_address, w_number, is_anonymous, person_dirt.

    ``rows`` is a query with the columns of ``person``, ``n`` (the row's running number) and q1 to q7. ``prefix``
    begins the custodian's own numbers of persons. A John Doe has no person of his own, so his number is the row's.
    """
    known = "not is_anonymous"
    return f"""
select *,
    case when is_anonymous then case when q6 % 3 = 0 then 'UNKNOWN' when sex = 'woman' then 'JANE' else 'JOHN' end
        when name_kind = 'typo' and q6 % 2 = 0 then {_typo("first_name", "q6")}
        when name_kind = 'nickname' then short_name when name_kind = 'swapped_name' then last_name
        else first_name end as w_first,
    case when is_anonymous then case when q6 % 3 = 0 then 'UNKNOWN' else 'DOE' end
        when name_kind = 'swapped_name' then first_name
        when surname_kind = 'old_surname' then old_last_name when surname_kind = 'surname_part' then one_surname
        when name_kind = 'typo' and q6 % 2 = 1 then {_typo("last_name", "q6")}
        else last_name end as w_last,
    case when is_anonymous or birth_kind = 'missing_birth_date' then null
        when birth_kind is null then birth_date
        when q6 % 3 = 0 and day(birth_date) <= 12 and day(birth_date) <> month(birth_date)
            then make_date(year(birth_date), day(birth_date), month(birth_date))
        when q6 % 3 = 1 then cast(birth_date + interval 1 year as date)
        else birth_date + 1 + cast(q6 % 9 as integer) end as w_birth,
    case when is_anonymous or phone_kind in ('missing_phone', 'number_not_sent') then null
        when phone_kind = 'wrong_phone' then substr(phone, 1, 11) || cast((cast(substr(phone, 12, 1) as integer) + 1) % 10
            as varchar) else phone end as w_phone,
    case when is_anonymous or address_kind = 'missing_address' then null
        when address_kind = 'old_address' then old_address
        when address_kind = 'abbreviated_address' then upper(replace(replace(address, ' Ave', ' Avenue'), ' St', ' Str'))
        else address end as w_address,
    '{prefix}' || case when is_anonymous then 'X' || cast(n + 1 as varchar)
        when has_second then cast(900000000 + p * 7919 % 899999981 as varchar)
        else cast(10000000 + p * {_stride(prefix)} % 879999973 as varchar) end as w_number,
    case when is_anonymous then 'john_doe' else concat_ws('|', name_kind, surname_kind, birth_kind, phone_kind,
        address_kind, case when has_second then 'second_number' end) end as person_dirt
from (
    select *, case when {known} then {_places(p, "q1", NAME, custodian)} end as name_kind,
        case when {known} then {_places(p, "q7", SURNAME, custodian)} end as surname_kind,
        case when {known} then {"null" if custodian in NAME_AND_PHONE else _places(p, "q2", BIRTH, custodian)} end as birth_kind,
        case when {known} then {_places(p, "q3", CALLING if custodian in NAME_AND_PHONE else PHONE, custodian)} end as phone_kind,
        case when {known} then {"null" if custodian in NAME_AND_PHONE else _places(p, "q4", ADDRESS, custodian)} end as address_kind,
        {known} and {str(custodian not in NAME_AND_PHONE).lower()} and q5 >= {WHOLE} - {p.below("second_number", f"quality.{custodian}")} as has_second
    from (
        select *, cast(q5 as bigint) * 100 < {p.below("john_doe", f"quality.{custodian}")} * cast(dirt_percent as bigint)
            as is_anonymous
        from ({rows})
    )
)
"""


def _stride(prefix: str) -> int:
    """A prime by custodian, so that the numbers of two custodians tell nothing of each other."""
    return {"M": 15485863, "J": 32452843, "H": 49979687, "C": 67867967}[prefix]


def upper_name(last: str, first: str) -> str:
    """SQL for LAST, FIRST in plain capitals, as older systems write it."""
    return f"upper(strip_accents({last})) || ', ' || upper(strip_accents({first}))"
