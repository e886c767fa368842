"""The field-form vendor's export: contact forms with their dispositions, and force reports with injuries."""

from __future__ import annotations

from orchestration.county.parameters import WHOLE, Parameters
from orchestration.county.period import DAY, Period

DRAWS = ("a", "b", "c", "d", "e", "f", "g", "h", "w", "k", "v", "calm", "calm_by", "hurt", "held", "ed_due")
SHEET_CALLS = 5_000  # a county with more calls gets its forms as text: large sheets take long to open


def contacts_sql(p: Parameters) -> str:
    """All contacts of calls, and whether the form is missing.

    Forms are not missing at random: by night, for contacts that came to nothing, without arrest, without a program.
    """
    base = round(p["form_missing"] * WHOLE)
    factors = " ".join(
        f"* case when {holds} then {round(100 * p[f'missing.{name}'])} else 100 end // 100"
        for name, holds in (
            ("night", "hour < 7"),
            ("nothing_done", "outcome in ('NO ACTION', 'UNABLE TO CONTACT')"),
            ("arrest", "fate = 'arrest'"),
            ("program", "program between 1 and 3"),
            ("cit", "program = 4"),
        )
    )
    return f"""
select i, number, source, code_open as type_open, code_close as type_close, outcome, fate, kind, sector, u_beat, patrol,
    team, program, has_cit, met_s, has_weapon, subject as p,
    case when patrol >= 1 then c1 // 60 end as officer_minutes, case when team > 0 then c4 // 60 end as clinician_minutes,
    cast(u_queue as bigint) < cast({base} as bigint) {factors} as is_missing, 0 as copy_no
from followed where is_contact
"""


def outreach_sql(period: Period, p: Parameters) -> str:
    """Contacts without a call: the person of a contact is visited one to five days later, in office hours."""
    visited = p.below("outreach")
    return f"""
select i, null as number, null as source, null as type_open, null as type_close,
    case when u_visit % 100 < 45 then 'RESOURCES GIVEN' when u_visit % 100 < 70 then 'PROVIDER TOLD'
        when u_visit % 100 < 90 then 'RESOURCES DECLINED' else 'UNABLE TO CONTACT' end as outcome,
    null as fate, kind, sector, u_beat, 0 as patrol, 1 as team, 0 as program, false as has_cit,
    (met_s // {DAY} + 1 + u_visit // 128 % 5) * {DAY} + {9 * 3600 - period.offsets[0][1]} + u_visit // 1024 % 28800 as met_s,
    false as has_weapon, subject as p, 20 + u_visit // 4096 % 40 as officer_minutes,
    20 + u_visit // 4096 % 40 as clinician_minutes, false as is_missing, 1 as copy_no
from followed where is_contact and u_visit < {visited}
"""


def forms_sql(period: Period, p: Parameters, rows: str) -> str:
    """One row per form from ``rows``: written contacts with draws, running number ``n`` and the person as written."""
    skewed = f"w < {p.below('clock_skew')}"
    return f"""
with timed as (
    select *, met_s + case when {skewed} then case when w % 2 = 0 then span_skew(k) else -span_skew(k) end else 0 end
        as said_s, {skewed} as is_skewed
    from ({rows})
)
select *, clock(said_s) as occurred, fate = 'arrest' as is_arrest,
    case when fate = 'arrest' then 'Y' when a < {p.below("arrestable")} then 'Y'
        when a < {p.below("arrestable") + p.below("arrestable_dk")} then 'DK'
        when a < {p.below("arrestable") + p.below("arrestable_dk") + p.below("arrestable_blank")} then null
        else 'N' end as arrestable,
    case when number is not null and b < {p.below("force")} then 'Y' when b >= {
        WHOLE - WHOLE // 33
    } then 'DK' else 'N' end
        as force_used,
    case when outcome in ('NO ACTION', 'UNABLE TO CONTACT') then 'NONE' when calm >= {
        WHOLE - p.below("technique_dk")
    } then 'DK'
        when calm >= case when has_cit or team > 0 then {p.below("technique_trained")} else {
        p.below("technique")
    } end then 'NONE'
        else mix_technique(calm_by) || case when team > 0 and hurt % 2 = 0 then ';CLINICIAN' else '' end end as techniques,
    case when held < {p.below("restraint")} then 'Y' when held >= {
        WHOLE - p.below("restraint_blank")
    } then null else 'N' end
        as restrained,
    case when fate = 'ed' or (fate = 'hold' and h < {WHOLE // 100 * 70}) then 'Y' when ed_due < {
        p.below("ed_indicated")
    } then 'Y'
        when ed_due >= {WHOLE - p.below("ed_indicated_dk")} then 'DK' else 'N' end as ed_indicated,
    c < {p.below("placeholder_form")} as is_placeholder, c >= {WHOLE - p.below("midnight")} as is_midnight,
    case when has_weapon or d < {WHOLE // 50} then 'Y' when d >= {WHOLE - WHOLE // 14} then 'DK'
        when d >= {WHOLE - WHOLE // 10} then null else 'N' end as weapon,
    number is not null and f < {p.below("form_without_number")} as is_unnumbered,
    number is not null and f >= {WHOLE - p.below("form_wrong_number")} as is_misnumbered,
    g >= {WHOLE - p.below("redacted_form")} as is_redacted, e < {p.below("form_without_disposition")} as is_open,
    e >= {WHOLE - p.below("doubled_disposition")} as is_doubled,
    'F' || strftime(clock(met_s), '%y') || '-' || substr(cast({10**9} + n + 1 as varchar), 4) as form_no,
    {
        _INJURED.format(
            force=f"number is not null and b < {p.below('force')} and v < {p.below('force_injury')}",
            other=f"v >= {WHOLE - p.below('injury')}",
        )
    } as injured
from timed
"""


# Who was hurt: where a force report is written, whom it names; null for nobody. A team alone has no officer.
_INJURED = """case when {force} then case when v % 3 = 0 then 'OFFICER' else 'SUBJECT' end
        when {other} then case when mix_injured(hurt) = 'OFFICER' and patrol = 0 and number is not null then 'CLINICIAN'
            else mix_injured(hurt) end end"""


# The number on the form: none, or two neighboring digits exchanged where they differ, or the right one.
WRITTEN_NUMBER = """case when is_unnumbered then null when is_misnumbered
    then substr(number, 1, 7) || substr(number, 9, 1) || substr(number, 8, 1) || substr(number, 10) else number end"""


def rows_sql(period: Period, p: Parameters) -> str:
    """One row per form and disposition from ``forms``, as the export prints them; hidden columns begin with _."""

    def shown(text: str) -> str:
        return f"case when is_redacted then 'REDACTED' else {text} end"

    part = WHOLE // 100
    return f"""
with chosen as (
    select *, case when not is_open then outcome end as first_text,
        case when outcome = 'INVOL HOLD' and h < {70 * part} then 'ED TRANSPORT'
            when h >= {WHOLE - p.below("second_disposition")} and mix_second(v) <> outcome then mix_second(v) end as second_text
    from forms
),
lines as (
    select *, 1 as line, first_text as disposition, unnest(range(1 + cast(is_doubled as integer))) as copy_no from chosen
    union all
    select *, 2, second_text, 0 from chosen where second_text is not null and first_text is not null
)
select said_s as _s, n as _n, line as _line, copy_no as _copy,
    form_no as FormNumber, {WRITTEN_NUMBER} as IncidentNumber,
    case when is_placeholder then '1900-01-01' else substr(cast(occurred as varchar), 1, 10) end as OccurredDate,
    case when is_midnight then '00:00' else substr(cast(occurred as varchar), 12, 5) end as OccurredTime,
    clock(said_s + span_writing(k)) as Written, source as CallSource, type_open as TypeOpen, type_close as TypeClose,
    case when number is null then 'FIELD' when f % 100 < 4 then 'PHONE' when f % 100 < 6 then 'HOSPITAL' else 'SCENE' end
        as ContactMode,
    case when number is null then 'OUTREACH' when type_open in ('WELCHK', 'WLFCHK') then 'WELFARE'
        when type_open = 'FOLLOW' then 'FOLLOWUP' else 'CRISIS' end as ContactReason,
    case when number is null then 'FOLLOWUP' when program = 1 then 'CORESP' when program = 2 then 'MOBILE'
        when program = 3 then 'NOPOLICE' when has_cit then 'CIT' else 'POLICE' end as Program,
    case program when 1 then 'P-CORE' when 2 then 'P-MCT' when 3 then 'P-ALT' end as ProgramNumber,
    case when kind = 'suicide' then case when d % 10 < 3 then 'ATTEMPT' when d % 10 < 6 then 'THREAT' else 'IDEATION' end
        else mix_suicide_risk(v) end as SuicideRisk,
    case when k % 100 < 10 then 'Y' when k % 100 < 15 then 'DK' when k % 100 < 18 then null else 'N' end as ThreatensOthers,
    weapon as Weapon, case when weapon = 'Y' then mix_weapon(e) when weapon = 'N' then 'NONE' end as WeaponKind,
    case when g < {30 * part} then 'DK' when is_veteran then 'Y' when is_veteran is null then null else 'N' end as Veteran,
    case when number is not null then case when h % 100 < 30 then 'Y' when h % 100 < 35 then null else 'N' end end as CITAsked,
    case when number is not null then case when has_cit or h % 100 < 4 then 'Y' when h % 100 > 95 then null else 'N' end
        end as CITSent,
    case when number is not null then case when has_cit and patrol > 0 then 'Y' when h % 100 > 95 then null else 'N' end
        end as CITArrived,
    case when team > 0 then 'Y' else 'N' end as ClinicianArrived,
    case when b % 100 < 5 then 'Y' when b % 100 < 15 then null else 'N' end as Supervisor, force_used as ForceUsed,
    case when is_arrest or force_used = 'Y' then 'Y' when outcome = 'INVOL HOLD' and b % 2 = 0 then 'Y'
        when b % 100 > 96 then 'Y' else 'N' end as Handcuffs,
    case when injured is null then 'N' else 'Y' end as Injury, coalesce(injured, 'NOBODY') as Injured, techniques as Techniques,
    restrained as Restrained, ed_indicated as EDIndicated, span_report(hurt) // 60 as ReportMinutes,
    arrestable as ArrestableOffense,
    case when outcome = 'WARRANT ARREST' then 'WARRANT' when is_arrest and d % 100 < 15 then 'MANDATORY'
        when is_arrest then 'PC ARREST' when arrestable = 'N' then 'NO PC'
        when arrestable = 'Y' and (outcome = 'CITED' or d % 100 < 70) then 'PC DIVERT'
        when arrestable = 'Y' then 'PC NO COMPLAINANT' when arrestable = 'DK' then 'DK' end as Discretion,
    case when e % 100 >= 5 then officer_minutes end as OfficerMinutes, clinician_minutes as ClinicianMinutes,
    sector || mix_beat(u_beat) as Beat, sector as Sector, 'District ' || sector as District,
    case when is_anonymous then 'Y' else 'N' end as Anonymous, age_band as AgeBand, sex as Sex,
    race_ethnicity as RaceEthnicity, language as Language, housing as Housing,
    w_number as PersonNumber,
    {shown("w_last || ', ' || w_first")} as SubjectName, {shown("cast(w_birth as varchar)")} as SubjectBirthDate,
    {shown("w_phone")} as SubjectPhone, {shown("w_address")} as SubjectAddress,
    case when patrol > 0 or number is null then officer_name end as OfficerName,
    case when patrol > 0 or number is null then 'R-' || cast(1000 + officer as varchar) end as OfficerNumber,
    'Fictional note: the person said "I need help", the team listened & stayed; nobody here exists.' as Note,
    disposition as Disposition,
    case when disposition is null then null when v % 10 = 0 then null when line = 1 then 'Y' else 'N' end as MainOne
from lines
"""


def force_sql(p: Parameters) -> str:
    """Force reports over ``forms``: one row per report and injured party; hidden columns begin with _."""
    return f"""
select said_s as _s, n as _n, 'FR' || substr(form_no, 2) as ReportNumber, form_no as FormNumber, {WRITTEN_NUMBER} as IncidentNumber,
    occurred as Occurred, 'Y' as ForceUsed, case when h % 100 < 76 then 'I' when h % 100 < 98 then 'II' else 'III' end as Level,
    case when h % 3 = 0 then 'HANDS' when h % 3 = 1 then 'HANDS;ECW' else 'POINTED' end as Kind,
    case when weapon = 'Y' then 'ASSAULT' when h % 2 = 0 then 'ACTIVE' else 'PASSIVE' end as Resistance,
    coalesce(weapon, 'N') as Armed, 1 + h % 3 as Officers, 'District ' || sector as District,
    case when v < {p.below("force_injury")} then 'FR' || substr(form_no, 2) || '-1' end as InjuryNumber,
    case when v < {p.below("force_injury")} then case when v % 3 = 0 then 'OFFICER' else 'SUBJECT' end end as Injured,
    case when v < {p.below("force_injury")} then case when v % 10 < 7 then 'MINOR' when v % 10 < 9 then 'SCENE' else 'ED' end
        end as Severity,
    case when v < {p.below("force_injury")} and v % 3 = 0 then v % 9 end as DaysMissed, w_number as PersonNumber,
    w_first as FirstName, w_last as LastName, w_birth as BirthDate
from forms where force_used = 'Y'
"""
