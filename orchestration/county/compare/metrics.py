"""Metric tables of a clean county's release against counts over its own files and truth: one query each, row by row.

What is a count or a sum agrees exactly; a figure that is printed rounded agrees to its last digit. Nothing of a query
is shared between the two sides: `ours` reads the metric table, `true` the tables of `sent`.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

COUNTY, JAIL, HOSPITAL, CARE = ("cedar_county", "cedar_jail", "cedar_health", "cedar_care")
# Months of calls: a month after the last holds units, forms or services of its calls, and is no whole month.
_MONTHS = "month in (select month from months)"


@dataclass(frozen=True)
class Counted:
    """Figures of metrics that are counted twice. within: half of the last digit printed; 0 where all are whole numbers."""

    name: str
    metric_ids: tuple[str, ...]
    ours: str
    true: str
    within: float = 0.0


def _table(name: str, columns: str, where: str, agency: str = COUNTY) -> str:
    return (
        f"select {columns} from internal.{name} where agency_id = '{agency}' and availability_code = 'available'"
        f" and {_MONTHS} and {where} order by all"
    )


def _intervals() -> str:
    """Intervals of community calls by the call's month, and of their units by the unit's."""
    of_calls = {"M01": "min(dispatched)", "M05": "min(onscene)", "M06": "min(case when is_capable then onscene end)"}
    of_units = {"M02": "enroute - dispatched", "M03": "onscene - enroute", "M04": "onscene - dispatched",
                "M07": "coalesce(leftscene, cleared) - onscene", "M09": "handedover - atdestination"}  # fmt: skip
    calls = " union all ".join(
        f"select '{i}' as metric_id, call.month, {last} - any_value(came) as seconds from call join unit using (number)"
        f" where exclusion = 'none' group by number, call.month"
        for i, last in of_calls.items()
    )
    units = " union all ".join(
        f"select '{i}', unit.month, {seconds} from unit join call using (number) where exclusion = 'none'"
        for i, seconds in of_units.items()
    )
    return f"""
        select metric_id, month, count(seconds), median(seconds), quantile_disc(seconds, 0.9)
        from ({calls} union all {units}) where {_MONTHS} group by all having count(seconds) > 0 order by all"""


# Of a form, by outcome: when it is a yes, and when it is known.
_NOBODY = "main in ('unable_to_contact', 'gone_on_arrival', 'unfounded', 'cancelled', 'duplicate')"
_CLINICAL = "destination in ('ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'jail', 'juvenile_facility')"
_FORCE_KNOWN = "force in ('Y', 'N')"
_CALMED = "techniques not in ('NONE', 'DK')"
_PARTIES = ("subject", "officer", "clinician", "bystander")
_PLACES = ("none", "ed", "hospital", "crisis_facility", "sobering", "jail", "shelter", "home", "family")
ANSWERS = {
    "arrested": ("enforcement in ('booked', 'arrested')", "true"),
    "not_arrested": ("enforcement in ('cited', 'none')", "true"),
    "involuntary_hold": ("hold = 'involuntary'", "true"),
    **{f"destination_{place}": (f"destination = '{place}'", "destination <> 'unknown'") for place in _PLACES},
    "any_force": ("force = 'Y'", _FORCE_KNOWN),
    "force_level_2_or_more": ("level in ('II', 'III')", _FORCE_KNOWN),
    "force_level_3_or_more": ("level = 'III'", _FORCE_KNOWN),
    "force_level_1_only": ("level = 'I'", _FORCE_KNOWN),
    "force_level_2_only": ("level = 'II'", _FORCE_KNOWN),
    "any_injury": ("injured is not null", "true"),
    **{f"{party}_injured": (f"injured = '{party.upper()}'", "true") for party in _PARTIES},
    **{f"{party}_injured_in_force": (f"in_force = '{party.upper()}'", _FORCE_KNOWN) for party in _PARTIES},
    "technique_used": (_CALMED, "techniques <> 'DK'"),
    "force_despite_technique": (f"{_CALMED} and force = 'Y'", f"{_CALMED} and {_FORCE_KNOWN}"),
    "handcuffed": ("handcuffs = 'Y'", "true"),
    "restrained": ("restrained = 'Y'", "restrained is not null"),
    "resolved_in_community": (
        f"enforcement in ('cited', 'none') and hold <> 'involuntary' and not {_CLINICAL}",
        f"not {_NOBODY} and (enforcement in ('booked', 'arrested') or hold = 'involuntary' or destination <> 'unknown')",
    ),
}  # fmt: skip
# What the county's truth says of harm and help, beside what the form says of how the contact ended.
_FORM = """
    (select form.* exclude (force, injured, techniques, restrained, ed_due, report_minutes), known.force_used as force,
        known.injured, known.techniques, known.restrained, known.ed_indicated as ed_due, known.report_minutes,
        force.Level as level, force.Injured as in_force
    from form join true_contact_incident as known on form.form = known.contact_number
    left join force on form.form = force.FormNumber)"""


def _answers(names: tuple[str, ...] = tuple(ANSWERS), where: str = "true") -> str:
    parts = ", ".join(
        f"{{'outcome': '{name}', 'yes': {yes}, 'known': {known}}}"
        for name, (yes, known) in ANSWERS.items()
        if name in names
    )
    return f"""
        select answer.outcome, month, count(*) filter (where answer.known),
            count(*) filter (where answer.known and answer.yes)
        from (select month, unnest([{parts}]) as answer from {_FORM} where {where}) where {_MONTHS} group by all order by all"""


_FREE = "arrestable = 'Y' and discretion not in ('WARRANT', 'MANDATORY')"
_POINTS = f"""
    select metric_id, month, count(*) filter (where is_due), count(*) filter (where is_due and is_out) from (
        select 'M17b' as metric_id, month, {_FREE} as is_due, enforcement = 'none' as is_out from {_FORM}
        union all select 'M17c', month, enforcement in ('booked', 'cited') and discretion not in ('WARRANT', 'MANDATORY'),
            enforcement = 'cited' from {_FORM}
        union all select 'M20', month, ed_due = 'Y' and destination <> 'unknown', destination <> 'ed' from {_FORM}
        union all select 'M20b', month, hold in ('voluntary', 'involuntary'), hold = 'voluntary' from {_FORM}
        union all select 'M17d', left(Booked, 7), ReleaseType <> 'IN', ReleaseType = 'DIVERT' from booking
        union all select 'M17e', left(EventDate, 7), Outcome not in ('PENDING', 'DK'), Outcome = 'DIVERTED' from court
    ) where {_MONTHS} group by all order by all"""

_TEAM_FORM = "model in ('CORESP', 'MOBILE', 'NOPOLICE')"
_HELPED = """service in ('referral_made', 'provider_notified', 'mobile_crisis_handoff', 'phone_line')
    or destination in ('ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'crisis_facility', 'sobering', 'clinic', 'shelter')"""
_FUNNEL = f"""
    with sent as (
        select number, bool_or(is_team) as is_sent, bool_or(is_team and onscene is not null) as has_come,
            bool_or(is_police and onscene is not null) as has_police
        from unit group by all
    ),
    wrote as (
        select number, bool_or(not {_NOBODY}) as has_met, bool_or(not {_NOBODY} and ({_HELPED})) as has_helped
        from form where {_TEAM_FORM} and number is not null group by all
    ),
    staged as (
        select call.*, coalesce(is_sent, false) or wrote.number is not null as is_sent,
            coalesce(has_come, false) or wrote.number is not null as has_come, coalesce(has_met, false) as has_met,
            coalesce(has_helped, false) as has_helped,
            coalesce(has_police and not sent.is_sent, false) and wrote.number is null as has_police_only
        from call left join sent using (number) left join wrote using (number) where exclusion = 'none'
    )
    select method, month, count(*), count(*) filter (where is_sent), count(*) filter (where has_come),
        count(*) filter (where has_met), count(*) filter (where has_helped), count(*) filter (where has_police_only)
    from (
        select 'call_type_initial' as method, * from staged where is_bh_open
        union all
        select 'program', staged.* from staged join true_call on number = incident_number
        where eligible_core or eligible_mct or eligible_alt
    ) where {_MONTHS} group by all order by all"""

_ALONE = f"""
    with met as (
        select call.number, call.month, min(case when model in ('MOBILE', 'NOPOLICE') then onscene end) as team_at,
            min(case when is_police then onscene end) as police_at
        from call join unit using (number) where exclusion <> 'duplicate' group by all having team_at is not null
    )
    select 'M29' as metric_id, month, count(*) filter (where police_at is null or police_at >= team_at),
        count(*) filter (where police_at >= team_at) from met where {_MONTHS} group by all
    union all
    select 'M30', month, count(*), count(*) filter (where police_at is null) from met where {_MONTHS} group by all
    order by all"""

# Referrals with the day on which the first service was kept, and how many days they were followed.
_SENT = """
    (select *, left(Referred, 7) as month, Accepted = 'Y' as is_accepted,
        ceil((epoch(timezone('America/Denver', cast(FirstKept as timestamp)))
            - epoch(timezone('America/Denver', cast(Referred as timestamp)))) / 86400) as kept_day,
        floor((epoch(cast(AsOfDay as timestamp)) - epoch(cast(Referred as timestamp))) / 86400) as followed,
        FirstKept is null and Status = 'UNKNOWN' as is_lost
    from referral)"""
_WINDOWS = "(values (7), (14), (30), (90)) as w (days)"
_REFERRED = f"""
    with services as (
        select ReferralNumber, days, count(*) as n from service join {_SENT} as r using (ReferralNumber), {_WINDOWS}
        where epoch(timezone('America/Denver', cast(ServiceAt as timestamp)))
            - epoch(timezone('America/Denver', cast(Referred as timestamp))) between 0 and days * 86400 group by all
    )
    select 'M31' as metric_id, 'offered' as basis, 'accepted' as outcome, 0 as days, month, count(*) as n,
        count(*) filter (where is_accepted) as events from {_SENT} group by all
    union all select 'M31', 'offered', 'declined', 0, month, count(*), count(*) filter (where not is_accepted) from {_SENT} group by all
    union all select 'M32', basis, 'linked', days, month, count(*) filter (where kept_day <= days or not is_lost),
        count(*) filter (where kept_day <= days)
        from {_SENT}, {_WINDOWS}, (values ('offered'), ('accepted')) as b (basis)
        where followed >= days and (is_accepted or basis = 'offered') group by all
    union all select 'M34', 'accepted', 'engaged', days, month, count(*) filter (where n >= 2 or not is_lost),
        count(*) filter (where n >= 2)
        from {_SENT} as r cross join {_WINDOWS} left join services using (ReferralNumber, days)
        where days in (30, 90) and is_accepted and followed >= days group by all
    union all select 'M35', 'accepted', 'outcome_unknown', 30, month, count(*),
        count(*) filter (where is_lost or (FirstKept is null and Status = 'PENDING'))
        from {_SENT} where is_accepted and followed >= 30 group by all"""
_CONTACTS_REFERRED = f"""
    with of_call as (
        select CadNumber as number, min(kept_day) as kept_day, bool_or(is_lost) as is_lost from {_SENT}
        where CadNumber is not null group by all
    ),
    followed as (select max(cast(AsOfDay as timestamp)) as until from referral),
    asked as (select form.*, of_call.number is not null as is_offered, kept_day, coalesce(is_lost, false) as is_lost
        from form left join of_call on form.number = of_call.number)
    select 'M31b' as metric_id, 'contact' as basis, 'offered' as outcome, 0 as days, month, count(*) as n,
        count(*) filter (where is_offered) as events from asked group by all
    union all select 'M32b', 'contact', 'linked', days, month, count(*) filter (where kept_day <= days or not is_lost),
        count(*) filter (where kept_day <= days)
        from asked, followed, {_WINDOWS} where epoch(until) - epoch(local_at) >= days * 86400 group by all"""

# Events of twelve months by true persons; none is anonymous where nothing is dirty.
_OFTEN = f"""
    with event as (
        select 'M38' as metric_id, form.month, true_person, is_minor from form
        join true_record on true_record.number = form.form and entity = 'contact' and agency_id = '{COUNTY}'
        union all select 'M37', left(Booked, 7), true_person, birth_date + interval 18 year > cast(Booked as timestamp) from booking
        join true_record on true_record.number = BookingNumber and entity = 'jail_booking' and agency_id = '{JAIL}'
        join true_person using (true_person)
    ),
    own as (
        select metric_id, months.month, true_person, count(*) filter (where not is_minor) as n
        from months join event on event.month <= months.month and event.month in (select month from months) group by all
    )
    select metric_id, least, month, sum(n), count(*) filter (where n > 0), count(*) filter (where n >= least),
        coalesce(sum(n) filter (where n >= least), 0)
    from own, (values ('M37', 4), ('M38', 4), ('M38', 10)) as t (id, least) where id = metric_id group by all order by all"""

# What they were offered, as far as consent lets anybody know; no service of substance use treatment.
_OFFERED = f"""
    with often as (
        select months.month, true_person from months join (
            select form.month, true_person from form join true_record on true_record.number = form.form and entity = 'contact'
                and agency_id = '{COUNTY}' where not is_minor
        ) as met on met.month <= months.month and met.month in (select month from months) group by all having count(*) >= 4
    ),
    offer as (
        select sent.*, true_person, case ReferralType when 'CM' then 'case_mgmt' when 'MED' then 'medication' else 'outpatient_mh' end as kind,
            kept_day is null and followed < 30 as is_waiting
        from {_SENT} as sent join true_record on true_record.number = ReferralNumber and entity = 'referral' and agency_id = '{CARE}'
        join linked_referral using (ReferralNumber) where ReferralType <> 'SUD' and Part2 = 'N'
    ),
    told as (
        select often.month, true_person, kind, bool_or(is_accepted) as accepted, bool_or(kept_day is not null) as reached,
            bool_or(is_waiting) as waiting
        from often join (select * replace (unnest([kind, 'any']) as kind) from offer) as offer using (true_person)
        where offer.month <= often.month and offer.month in (select month from months) group by all
    ),
    people as (select month, count(*) as n from often group by all),
    each_kind as (
        select kind, month, count(*) as offered, count(*) filter (where accepted) as accepted, count(*) filter (where reached) as reached,
            count(*) filter (where waiting and not reached) as waiting, count(*) filter (where not reached and not waiting) as missed
        from told group by all
    )
    select coalesce(kind, 'any'), month, n, coalesce(offered, 0), coalesce(accepted, 0), coalesce(reached, 0), coalesce(waiting, 0),
        coalesce(missed, 0) from people left join each_kind using (month) order by all"""

# Quantities of cost by component.
_STAY = "epoch(timezone('America/Denver', cast({1} as timestamp))) - epoch(timezone('America/Denver', cast({0} as timestamp)))"
_QUANTITIES = {
    "officer_time": "select month, (cleared - dispatched) * officers / 3600 as q from unit",
    "clinician_time": "select month, (cleared - dispatched) * clinicians / 3600 as q from unit",
    "handover_wait": "select month, (handedover - atdestination) * officers / 3600 as q from unit",
    "vehicle": "select month, miles as q from unit",
    "report_writing": f"select month, report_minutes / 60 as q from {_FORM}",
    "booking": f"select month, cast(enforcement = 'booked' as integer) as q from {_FORM} where enforcement <> 'arrested'",
    "ed_arrival": f"select month, cast(destination = 'ed' as integer) as q from {_FORM} where destination not in ('unknown', 'hospital')",
    "force": f"select month, cast(force = 'Y' as integer) as q from {_FORM} where {_FORCE_KNOWN}",
    "injury": f"select month, cast(injured is not null as integer) as q from {_FORM}",
    "ambulance_trip": "select left(LeftScene, 7) as month, cast(Carrier = 'AMB' as integer) as q from trip",
    "overtime": "select left(Started, 7) as month, cast(OvertimeHours as double) as q from roster",
    "jail_day": f"select left(Booked, 7) as month, ({_STAY.format('Booked', 'Released')}) / 86400 as q from booking",
    "ed_visit": "select left(Arrived, 7) as month, 1 as q from visit",
    "inpatient_day": f"select left(Admitted, 7) as month, ({_STAY.format('Admitted', 'Discharged')}) / 86400 as q from stay",
}
_ITEMS = {"officer_time": "officer_hour", "clinician_time": "clinician_hour", "handover_wait": "officer_hour",
          "vehicle": "vehicle_mile", "report_writing": "officer_hour", "ed_arrival": "ed_visit_msud", "ed_visit": "ed_visit_msud",
          "ambulance_trip": "ambulance_transport", "inpatient_day": "inpatient_psychiatric_day", "overtime": "overtime_hour"}  # fmt: skip
_AMOUNTS = " union all ".join(f"select '{name}' as component, * from ({query})" for name, query in _QUANTITIES.items())
_PRICED = " ".join(f"when '{name}' then '{item}'" for name, item in _ITEMS.items())
# The default price of an item in the prices of 2024.
_PRICE = """
    (select item_code, cost_type = 'marginal' as is_cash, round(cast(price.value as double) * cast(now.value as double) / cast(then_.value as double), 2) as usd
    from price join price_index as then_ on price_year = then_.year and then_.series = 'cpi_u'
    join price_index as now on now.year = '2024' and now.series = 'cpi_u' where is_default = 'true')"""
_FORMS_TELL = "('booking', 'ed_arrival', 'force', 'injury', 'report_writing')"
_WHOLE_COST = f"""slice_code = 'all' and identification_method_code
    = case when component_code in {_FORMS_TELL} then 'field_form' else 'not_applicable' end and quantity is not null"""

# Hours of the roster by area, as many as a shift reaches into.
_ROSTER = """
    (select left(Started, 7) as month, Area, epoch(timezone('America/Denver', cast(Started as timestamp))) // 3600 + n as hour,
        bool_or(ProgramOn = 'Y') as is_on, sum(cast(Clinicians as integer)) > 0 as has_clinician
    from roster, range(8) as r (n) group by all)"""

# Officers on scene of calls, and hours past the end of their shift at calls that ended in a hold.
_EXPOSED = """
    with seen as (
        select cast(timezone('America/Denver', to_timestamp(onscene)) as date) as day, officers, call.*,
            is_bh_open or is_bh_close or number in (select number from form) as is_crisis,
            number in (select number from form where hold = 'involuntary') as is_hold,
            greatest(0, cleared - epoch(timezone('America/Denver', cast(roster.Ended as timestamp)))) * officers / 3600 as late
        from unit join call using (number) left join roster on unit.shift = roster.ShiftNumber where onscene is not null
    ),
    ends as (select month, last_day(cast(month || '-01' as date)) as last from months),
    spans as (select month as until, days, last, last - days + 1 as first from ends, (values (30), (90), (365)) as w (days))
    select 'WE1' as metric_id, days, until, count(*), cast(sum(officers) as double) from spans join seen on day between first and last
        where is_crisis group by all
    union all select 'WE2', days, until, count(*), cast(sum(officers) as double) from spans join seen on day between first and last
        where open_kind = 'suicide' or close_kind = 'suicide' group by all
    union all select 'WE3', days, until, count(*), cast(sum(officers) as double) from spans join seen on day between first and last
        where opened = 'DEATH' or closed = 'DEATH' group by all
    union all select 'WE4', days, until, count(*), round(sum(late), 2) from spans join seen on day between first and last
        where is_hold group by all
    union all select 'WE5', days, until, count(*), cast(sum(cast(DaysMissed as double)) as double) from spans
        join force on cast(Occurred as date) between first and last where Injured = 'OFFICER' group by all
    order by all"""

# Shares of each group and of the rest of its stratum (type at open, six hours), standardized to the strata of all.
_COMPARED = {
    "met_by_team": ("model in ('CORESP', 'MOBILE', 'NOPOLICE')", "true"),
    "met_by_cit_police": ("model = 'CIT'", "true"),
    "taken_to_ed": ("destination = 'ed'", "destination <> 'unknown'"),
    **{
        name: ANSWERS[name]
        for name in ("arrested", "involuntary_hold", "resolved_in_community", "any_force", "handcuffed")
    },
}
_EQUITY = f"""
    with told as (
        select opened, hour(local_at) // 6 as part, race, unnest([{
    ", ".join(f"{{'outcome': '{o}', 'yes': {yes}, 'known': {known}}}" for o, (yes, known) in _COMPARED.items())
}]) as answer
        from {_FORM} where {_MONTHS}
    ),
    cell as (
        select answer.outcome, opened, part, race, count(*) as contacts, count(*) filter (where answer.known) as n,
            count(*) filter (where answer.known and answer.yes) as x from told group by all
    ),
    stratum as (select *, sum(n) over s as w, sum(x) over s as all_x from cell window s as (partition by outcome, opened, part))
    select outcome, race, sum(contacts), sum(n), sum(x), sum(n) filter (where n > 0 and w > n),
        sum(w * x / n) filter (where n > 0 and w > n) / sum(w) filter (where n > 0 and w > n)
        - sum(w * (all_x - x) / (w - n)) filter (where n > 0 and w > n) / sum(w) filter (where n > 0 and w > n)
    from stratum group by all order by all"""

# Programs against police alone: contacts that ended at an emergency department, and what the program cost till then.
_AVOIDED = f"""
    with ran as (
        select 'P-' || upper(program) as program, last_day(cast((select max(month) from months) || '-01' as date)) + 1 - cast(quantity as int) as start
        from true_cost where item = 'budget'
    ),
    spent as (
        select program, start, max(month) as last, datediff('day', start, last_day(cast(max(month) || '-01' as date)) + 1) as days,
            datediff('month', start, cast(max(month) || '-01' as date)) + 1 as months
        from ran join form using (program) where local_at >= start group by program, start
    ),
    cost as (
        select spent.*, cast(y.value as double) / 100 * days / 365 + cast(s.value as double) / 100 * months / 60 as usd
        from spent join rate as y on y.name = 'cost.' || lower(substr(program, 3)) || '.year'
        join rate as s on s.name = 'cost.' || lower(substr(program, 3)) || '.start_up'
    ),
    told as (
        select cost.program, cost.usd, count(*) filter (where form.program = cost.program) as n,
            count(*) filter (where form.program = cost.program and destination = 'ed') as x,
            count(*) filter (where form.program is null and model = 'POLICE') as n0,
            count(*) filter (where form.program is null and model = 'POLICE' and destination = 'ed') as x0
        from cost join form on local_at >= start and destination not in ('unknown', 'hospital') group by all
    ),
    priced as (select *, n * (x0 / n0 - x / n) as averted, price.usd as price from told, {_PRICE} as price where item_code = 'ed_visit_msud')
    select program, n, x, n0, x0, averted, averted * price, usd, averted * price - usd, averted * price / usd,
        case when averted > 0 then usd / averted end, x / n + usd / (n * price)
    from priced order by all"""

COUNTED = (
    Counted("intervals", ("M01", "M02", "M03", "M04", "M05", "M06", "M07", "M09", "M10"),
        _table("met_response__interval_by_slice", "metric_id, month, known_count, median_seconds, p90_nearest_rank_seconds",
               "population_code = 'all' and slice_code = 'all' and known_count > 0"), _intervals()),
    Counted("intervals, each its own table", ("M01", "M04", "M05", "M07"),
        " union all ".join(f"""
            select '{i}' as metric_id, month, known_count, median_seconds, p90_nearest_rank_seconds from internal.met_response__{name}
            where agency_id = '{COUNTY}' and identification_method_code = 'not_applicable' and known_count > 0 and {_MONTHS}"""
            for i, name in {"M01": "call_processing", "M04": "unit_response", "M05": "incident_response", "M07": "scene_time"}.items())
        + " order by all", f"select * from ({_intervals()}) where metric_id in ('M01', 'M04', 'M05', 'M07') order by all"),
    Counted("hours on task", ("M08",),
        _table("met_workload__hours_on_task", "month, response_count, unit_hours, officer_hours, clinician_hours",
               "identification_method_code = 'not_applicable'"),
        f"""select month, count(*), sum(cleared - dispatched) / 3600, sum((cleared - dispatched) * officers) / 3600,
            sum((cleared - dispatched) * clinicians) / 3600 from unit where {_MONTHS} group by all order by all""", 1e-4),
    Counted("share of behavioral-health calls", ("M12",),
        _table("met_identification__bh_share", "identification_method_code, bh_kind_code, month, denominator_count, numerator_count",
               "identification_method_code in ('call_type_initial', 'call_type_final', 'field_form')"),
        """
        with told as (
            select month, unnest([{'method': 'call_type_initial', 'is_bh': is_bh_open, 'kind': open_kind},
                {'method': 'call_type_final', 'is_bh': is_bh_close, 'kind': close_kind},
                {'method': 'field_form', 'is_bh': number in (select number from form where number is not null), 'kind': null}]) as told
            from call where exclusion = 'none'
        )
        select told.method, kind, month, count(*), count(*) filter (where told.is_bh and (kind = 'any' or told.kind = kind))
        from told, (values ('any'), ('mental_health'), ('suicide'), ('substance'), ('cognitive')) as k (kind)
        where kind = 'any' or told.method <> 'field_form' group by all order by all"""),
    Counted("agreement with the form", ("M12b",),
        _table("met_identification__method_overlap", "identification_method_code, month, both_count, method_only_count, compared_only_count, neither_count",
               "compared_method_code = 'field_form' and identification_method_code like 'call_type%'"),
        """
        with told as (
            select month, number in (select number from form where number is not null) as wrote,
                unnest([{'method': 'call_type_initial', 'is_bh': is_bh_open}, {'method': 'call_type_final', 'is_bh': is_bh_close}]) as told
            from call where exclusion = 'none'
        )
        select told.method, month, count(*) filter (where told.is_bh and wrote), count(*) filter (where told.is_bh and not wrote),
            count(*) filter (where not told.is_bh and wrote), count(*) filter (where not told.is_bh and not wrote)
        from told group by all order by all"""),
    Counted("trained officers at contacts", ("M14",),
        _table("met_staffing__cit_coverage", "part_code, month, denominator_count, numerator_count", "metric_id = 'M14' and slice_code = 'all'"),
        f"""select part, month, count(*) filter (where asked = 'Y' and answer in ('Y', 'N')), count(*) filter (where asked = 'Y' and answer = 'Y')
        from (select 'arrived' as part, month, 'Y' as asked, cit_came as answer from form
            union all select 'dispatched_of_requested', month, cit_asked, cit_sent from form
            union all select 'arrived_of_dispatched', month, cit_sent, cit_came from form) where {_MONTHS} group by all order by all"""),
    Counted("disposition mix", ("M15",),
        _table("met_outcome__disposition_mix", "basis_code, disposition_code, month, denominator_count, contact_count", "contact_count > 0"),
        f"""
        with total as (select month, count(*) as n from form group by all)
        select basis, code, month, n, count(*) from (
            select 'primary' as basis, main as code, month from form union all select 'any', unnest(all_codes), month from form
        ) join total using (month) where {_MONTHS} group by all order by all"""),
    Counted("what contacts led to", ("M16", "M18", "M21", "M22", "M23", "M23b", "M24", "M24b", "M24c", "M25", "M26", "M26b", "M27"),
        _table("met_outcome__contact_outcomes_by_slice", "outcome_code, month, denominator_count, outcome_count",
               f"slice_code = 'all' and outcome_code in ({', '.join(map(repr, ANSWERS))})"), _answers()),
    Counted("share not arrested", ("M18",),
        _table("met_outcome__share_not_arrested", "month, denominator_count, not_arrested_count", "true"),
        f"select month, count(*), count(*) filter (where enforcement in ('cited', 'none')) from form where {_MONTHS} group by all order by all"),
    Counted("jail diversion", ("M17",),
        _table("met_diversion__jail_diversion", "month, denominator_count, not_booked_count", "true"),
        f"""select month, count(*), count(*) filter (where enforcement <> 'booked') from form
        where {_FREE} and enforcement <> 'arrested' and {_MONTHS} group by all order by all"""),
    Counted("points of diversion", ("M17b", "M17c", "M17d", "M17e", "M20", "M20b"),
        f"""select metric_id, month, denominator_count, diverted_count from internal.met_diversion__point
        where agency_id in ('{COUNTY}', '{JAIL}') and availability_code = 'available' and {_MONTHS} and considered_count > 0 order by all""",
        _POINTS),
    Counted("funnel of eligible calls", ("M28",),
        _table("met_diversion__funnel_by_slice", "identification_method_code, month, eligible_count, sent_count, arrived_count,"
               " engaged_count, served_count, police_without_team_count", "team_code = 'any_team' and slice_code = 'all' and eligible_count > 0"), _FUNNEL),
    Counted("police at calls of teams", ("M29", "M30"),
        _table("met_diversion__police_at_team_calls", "metric_id, month, denominator_count, outcome_count",
               "team_code = 'all_teams' and considered_count > 0"), _ALONE),
    Counted("referrals", ("M31", "M32", "M34", "M35"),
        f"""select metric_id, basis_code, outcome_code, window_days, month, denominator_count, outcome_count from care.met_outcome__referral
        where agency_id = '{CARE}' and metric_id in ('M31', 'M32', 'M34', 'M35') and {_MONTHS} and denominator_count > 0 order by all""",
        f"select * from ({_REFERRED}) where n > 0 and {_MONTHS} order by all"),
    Counted("referrals of contacts", ("M31b", "M32b"),
        f"""select metric_id, basis_code, outcome_code, window_days, month, denominator_count, outcome_count from care.met_outcome__referral
        where agency_id = '{COUNTY}' and metric_id in ('M31b', 'M32b') and {_MONTHS} and denominator_count > 0 order by all""",
        f"select * from ({_CONTACTS_REFERRED}) where n > 0 and {_MONTHS} order by all"),
    Counted("people met and booked often", ("M37", "M38"),
        f"""select metric_id, least_events, month, denominator_count, person_count, familiar_person_count, familiar_event_count
        from internal.met_outcome__familiar_faces where agency_id in ('{COUNTY}', '{JAIL}') and considered_count > 0 and {_MONTHS} order by all""",
        _OFTEN),
    Counted("offered load", ("M40",),
        f"select distinct month, hour_of_week, offered_load from internal.met_staffing__offered_load where agency_id = '{COUNTY}'"
        f" and identification_method_code = 'not_applicable' and offered_load > 0 and {_MONTHS} order by all",
        """
        with days as (
            select month, isodow(day) as dow, count(*) as n from (select month, unnest(generate_series(cast(month || '-01' as date),
                last_day(cast(month || '-01' as date)), interval 1 day)) as day from months) group by all
        )
        select unit.month, strftime(local_at, '%u_%H'), count(*) * avg(cleared - dispatched) / 3600 / any_value(n)
        from unit join days on unit.month = days.month and isodow(local_at) = dow group by all order by all""", 1e-5),
    Counted("cost of a response", ("M46",),
        f"""select month, response_count, labor_cost_central_usd from internal.met_cost__cost_per_response where agency_id = '{COUNTY}'
        and item_code = 'officer_and_clinician_hour' and identification_method_code = 'not_applicable' and {_MONTHS} order by all""",
        f"""select call.month, count(distinct number), sum((cleared - dispatched) * (officers + clinicians)) * 62.92 / 3600
        from call join unit using (number) where exclusion = 'none' and {_MONTHS.replace("month in", "call.month in")} group by all order by all""", 0.006),
    Counted("quantities of cost", ("M46.officer_time", "M46.clinician_time", "M46.handover_wait", "M46.vehicle", "M46.report_writing",
            "M46.booking", "M46.ed_arrival", "M46.force", "M46.injury", "M46.ambulance_trip", "M46.overtime", "M46.jail_day",
            "M46.ed_visit", "M46.inpatient_day"),
        f"""select component_code, month, event_count, quantity from internal.met_cost__component where agency_id like 'cedar%'
        and {_WHOLE_COST} and {_MONTHS} order by all""",
        f"select component, month, count(*) filter (where q > 0), sum(q) from ({_AMOUNTS}) where q is not null and {_MONTHS} group by all order by all",
        1e-4),
    Counted("cost by component, capacity and cash", ("M52", "M53"),
        f"""select component_code, month, coalesce(capacity_central_usd, cash_central_usd) from internal.met_cost__component
        where agency_id like 'cedar%' and {_WHOLE_COST} and {_MONTHS} and coalesce(capacity_central_usd, cash_central_usd) is not null order by all""",
        f"""select component, month, sum(q) * any_value(usd) from ({_AMOUNTS}) join {_PRICE} as price
            on item_code = case component {_PRICED} end where q is not null and {_MONTHS} group by all order by all""", 0.01),
    Counted("what a program avoids", ("M48", "M49", "M50", "M54"),
        f"""select part.program_number, ed.program_known_count, ed.program_event_count, ed.comparison_known_count, ed.comparison_event_count,
            ed.averted, ed.avoided_capacity_usd, ed.program_cost_usd, total.net_capacity_usd, total.benefit_cost_ratio,
            ed.program_cost_per_averted_usd, ed.break_even_comparison_share
        from internal.met_cost__avoided as ed join internal.met_cost__avoided as total using (agency_id, program_id, comparison_code)
        join internal.fct_program as part using (agency_id, program_id)
        where agency_id = '{COUNTY}' and ed.component_code = 'ed_arrival' and total.component_code = 'all' and ed.averted is not null
        order by all""", _AVOIDED, 0.06),
    Counted("who bears what was done", ("M55",),
        f"""select component_code, perspective_code, capacity_central_usd from internal.met_cost__perspective
        where agency_id = '{COUNTY}' and flow_code = 'bears' and component_code in ('officer_time', 'handover_wait', 'ambulance_trip', 'vehicle')
        order by all""",
        f"""select component, case component when 'ambulance_trip' then 'ambulance_service' else 'county' end, sum(usd) from (
            select component, month, round(sum(q) * any_value(usd), 2) as usd from ({_AMOUNTS}) join {_PRICE} as price
                on item_code = case component {_PRICED} end where q is not null group by all)
        where component in ('officer_time', 'handover_wait', 'ambulance_trip', 'vehicle') group by all order by all""", 0.06),
    Counted("gaps between groups", ("EQ1", "EQ2", "EQ3", "EQ4"),
        _table("met_outcome__equity", "outcome_code, slice_value, considered_count, denominator_count, outcome_count, compared_count, share_gap",
               "slice_code = 'race_ethnicity' and month = (select max(month) from months)"), _EQUITY, 1e-6),
    Counted("load on wages", ("M47",), "select distinct load_ratio from internal.dim_cost_parameter",
        """select (cast(w.value as double) + cast(b.value as double)) / cast(w.value as double) from price as w, price as b
        where w.param_key = 'comp_state_local_wage' and b.param_key = 'comp_state_local_benefits'""", 1e-6),
    Counted("time from call to closing and from contact to form", ("Q02.received_to_closed", "Q02.occurred_to_reported"),
        _table("met_quality__timeliness", "step_code, month, known_count, median_seconds", "true"),
        f"""select step, month, count(*), median(s) from (
            select 'received_to_closed' as step, month, closed_at - came as s from call
            union all select 'occurred_to_reported', month, written_at - met from form) where s >= 0 and {_MONTHS} group by all order by all"""),
    Counted("fields that are known", ("Q01",),
        _table("met_quality__field", "field, month, considered_count, known_count", "entity = 'contact' and field in ('force_used', 'arrestable_offense')"),
        f"""select field, month, count(*), count(*) filter (where answer <> 'DK')
        from (select 'arrestable_offense' as field, month, arrestable as answer from {_FORM} union all select 'force_used', month, force from {_FORM})
        where {_MONTHS} group by all order by all"""),
    Counted("contacts that find their call", ("Q03",),
        f"""select month, considered_count, not_applicable_count, joined_count, lost_count from internal.fct_join_loss
        where agency_id = '{COUNTY}' and join_code = 'contact_to_incident' and {_MONTHS} order by all""",
        f"""select month, count(*), count(*) filter (where incident_number is null), count(incident_number), 0
        from (select form.month, incident_number from true_contact_incident join form on form.form = contact_number) where {_MONTHS} group by all order by all"""),
    Counted("hours in which programs worked", ("PG1", "PG2"),
        _table("met_program__roster", "metric_id, month, denominator_count, numerator_count", "slice_code = 'all'"),
        f"""select 'PG1' as metric_id, month, count(*), count(*) filter (where is_on) from {_ROSTER} where {_MONTHS} group by all
        union all select 'PG2', month, count(*) filter (where is_on), count(*) filter (where is_on and has_clinician)
        from {_ROSTER} where {_MONTHS} group by all order by all"""),
    Counted("clinicians' positions", ("PG3", "PG4"),
        _table("met_program__position", "metric_id, month, month_count, numerator_fte, position_share", "slice_code = 'all'"),
        """
        with counted as (select left(CountedOn, 7) as month, sum(cast(Funded as int)) as paid, sum(cast(Filled as int)) as filled,
            sum(cast(Gone as int)) as gone from position group by all)
        select 'PG3' as metric_id, month, 1, paid - filled, (paid - filled) / paid from counted
        union all
        select 'PG4', month, count(*) over w, sum(gone) over w, sum(gone) over w / avg(filled) over w from counted
        window w as (order by month) order by all""", 1e-6),
    Counted("dispatch against the rule", ("PG5",),
        _table("met_program__override", "part_code, month, denominator_count, override_count", "true"),
        """
        with done as (
            select call.month, number, any_value(eligible_core or eligible_mct or eligible_alt) as is_due, bool_or(is_team) as is_sent
            from call join unit using (number) join true_call on number = incident_number where exclusion = 'none' group by all
        )
        select 'eligible_not_sent' as part, month, count(*) filter (where is_due), count(*) filter (where is_due and not is_sent)
        from done group by all union all
        select 'not_eligible_sent', month, count(*) filter (where not is_due), count(*) filter (where not is_due and is_sent)
        from done group by all order by all"""),
    Counted("techniques and injury by training", ("TR1", "TR3"),
        _table("met_training__contact", "outcome_code, slice_value, month, denominator_count, outcome_count",
               "slice_code = 'training' and outcome_code in ('any_technique', 'verbal_deescalation', 'clinician_led', 'any_injury', 'officer_injured')"),
        f"""
        with told as (
            select *, case when model in ('MOBILE', 'NOPOLICE') then 'no_police' when cit_came = 'Y' or model = 'CIT' then 'trained'
                when cit_came = 'N' then 'not_trained' else 'not_recorded' end as training from {_FORM}
        )
        select answer.outcome, training, month, count(*) filter (where answer.known), count(*) filter (where answer.known and answer.yes)
        from (select month, training, unnest([
            {{'outcome': 'any_technique', 'yes': {_CALMED}, 'known': techniques <> 'DK'}},
            {{'outcome': 'verbal_deescalation', 'yes': contains(techniques, 'VERBAL'), 'known': techniques <> 'DK'}},
            {{'outcome': 'clinician_led', 'yes': contains(techniques, 'CLINICIAN'), 'known': techniques <> 'DK'}},
            {{'outcome': 'any_injury', 'yes': injured is not null, 'known': true}},
            {{'outcome': 'officer_injured', 'yes': injured = 'OFFICER', 'known': true}}]) as answer from told)
        where {_MONTHS} group by all order by all"""),
    Counted("certificates that run out", ("TR5",),
        _table("met_training__certification", "course_code, month, considered_count, expired_count, expiring_count, without_expiry_count",
               "course_code in ('cit_40h', 'deescalation')"),
        """
        with ends as (select month, last_day(cast(month || '-01' as date)) as last from months)
        select case Course when 'CIT40' then 'cit_40h' else 'deescalation' end as course, month, count(*),
            count(*) filter (where cast(ValidUntil as date) < last),
            count(*) filter (where cast(ValidUntil as date) between last and last + 90), count(*) filter (where ValidUntil is null)
        from ends join training on cast(Completed as date) <= last group by all order by all"""),
    Counted("forms missing", ("TR6",),
        _table("met_training__call", "month, denominator_count, outcome_count", "metric_id = 'TR6' and slice_code = 'all'"),
        """select call.month, count(distinct number), count(distinct number) filter (where form.form is null) from call
        join unit using (number) left join form using (number) where onscene is not null and exclusion <> 'duplicate'
        and (is_bh_open or is_bh_close) group by all order by all"""),
    Counted("exposure, overtime on holds and days lost", ("WE1", "WE2", "WE3", "WE4", "WE5"),
        _table("met_wellness__exposure", "metric_id, window_days, month, considered_count, amount",
               "slice_code = 'all' and considered_count > 0"), _EXPOSED, 0.01),
    Counted("what people met often were offered", ("ND4",),
        f"""select service_code, month, familiar_person_count, offered_person_count, accepted_person_count, reached_person_count,
            waiting_person_count, not_reached_person_count from care.met_needs__familiar_offer
        where agency_id = '{COUNTY}' and availability_code = 'available' and familiar_person_count > 0 and {_MONTHS} order by all""",
        _OFFERED),
    Counted("places of the crisis center", ("ND3",),
        _table("met_needs__facility_capacity", "slice_value, month, considered_count, staffed_sum, occupied_sum, drop_off_sum,"
               " police_drop_off_sum, refused_drop_off_sum, full_count", "slice_code = 'capacity_kind'", HOSPITAL),
        f"""select case PlaceKind when 'DETOX' then 'sobering_place' else 'crisis_chair' end as kind, left(ObservedAt, 7) as month,
            count(*), {", ".join(f"sum(cast({c} as bigint))" for c in ("Staffed", "Occupied", "DropOffs", "PoliceDropOffs", "TurnedAway"))},
            count(*) filter (where cast(Occupied as int) >= cast(Staffed as int)) from capacity where {_MONTHS} group by all order by all"""),
)  # fmt: skip


# Metrics that a test works out in Python, or by a query of its own, over a clean county: the test's name.
TESTED = {
    "M08b": "test_hours_relieved_are_those_of_the_files",
    "M11": "test_demand_by_hour_of_the_week_is_that_of_the_files",
    "M13": "test_trained_hours_on_duty_are_those_of_the_roster",
    "M14b": "test_trained_hours_on_duty_are_those_of_the_roster",
    "M19": "test_modelled_diversion_lies_by_the_truth_s_diverted_holds",
    "M33": "test_waiting_for_a_service_is_what_another_program_computes",
    "M36": "test_repeat_contacts_are_those_that_python_counts",
    "M39": "test_contacts_before_and_after_enrollment_are_those_of_true_people",
    "M41": "test_waits_and_headcount_are_those_that_python_computes",
    "M42": "test_waits_and_headcount_are_those_that_python_computes",
    "M43": "test_a_staffing_plan_rests_on_the_release_and_agrees_with_its_tables",
    "M44": "test_waits_and_headcount_are_those_that_python_computes",
    "M45": "test_calls_inside_programs_hours_and_areas_are_those_of_the_files",
    "M46.repeat_person": "test_time_at_calls_with_the_same_person_again_is_that_of_true_people",
    "M51": "test_budgets_of_programs_are_the_truth_s",
    "PG6": "test_later_harm_is_that_of_true_people_one_by_one",
    "TR2": "test_force_by_training_and_recoded_calls_are_those_of_the_files",
    "TR4": "test_force_by_training_and_recoded_calls_are_those_of_the_files",
    "ND1": "test_demand_that_no_team_reached_and_trips_are_those_of_the_files",
    "ND2": "test_demand_that_no_team_reached_and_trips_are_those_of_the_files",
}
NOT_COMPARED = {
    "M46.repeat_place": "has no value",
    "M56": "a study estimates it; the programs' effects are compared by `crisis truth`",
    "Q02.received_to_landed": "has no value",
}


def how_compared(metric_id: str) -> str:
    """How a metric is held against the clean county's truth, or why not. Raises KeyError for an id without a word on it."""
    names = [counted.name for counted in COUNTED if metric_id in counted.metric_ids]
    return "; ".join(names) or TESTED.get(metric_id) or f"no: {NOT_COMPARED[metric_id]}"


def counted_twice(release: duckdb.DuckDBPyConnection, known: duckdb.DuckDBPyConnection, counted: Counted) -> tuple[list, list]:  # fmt: skip
    """Rows of the release and of the county's own files, in one order. known: tables of `sent`."""
    known.execute("create or replace temp table months as select distinct month from call")
    own = release.cursor()
    linked = "select split_part(record_id, ':', 2) as ReferralNumber from care.bridge_care_person_record where entity = 'referral'"
    known.register(
        "linked_referral", own.execute(linked).fetch_arrow_table()
    )  # consent: who may be linked is the release's
    own.register("months", known.execute("from months").fetch_arrow_table())
    return own.execute(counted.ours).fetchall(), known.execute(counted.true).fetchall()
