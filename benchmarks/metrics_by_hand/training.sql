-- Makes the three met_training tables; contacts read met_staffing__cit_certified, which staffing.sql makes.

-- Calls re-coded (TR4) and calls without a form (TR6), of those that a unit reached.
create or replace temp table sector_call as
with reached as (
    select
        agency_id, month, sector, incident_id, bh_call_type_initial as initial, bh_call_type_final as final
    from warehouse.marts.fct_incident
    where arrived_unit_count > 0 and is_duplicate is distinct from true
)

select
    agency_id, month, 'TR4' as metric_id, sector, count(*) as considered_count,
    count(*) filter (final in ('yes', 'no')) as denominator_count, count(*) filter (final = 'yes') as outcome_count
from reached
where initial = 'no'
group by all
union all
select
    agency_id, month, 'TR6', sector, count(*), count(*), count(*) filter (formed.incident_id is null)
from reached
left join (
    select distinct incident_id from warehouse.marts.bridge_contact_incident where incident_id is not null
) as formed using (incident_id)
where initial = 'yes' or final = 'yes'
group by all;

create table met_training__call as
with beat_sector as (
    select agency_id, beat as incident_beat, any_value(sector) as sector
    from warehouse.marts.fct_incident
    where beat is not null
    group by all
),

beat_unit as (
    select distinct agency_id, incident_month as month, incident_beat, unit_number
    from warehouse.marts.fct_unit_response
    where on_scene_at is not null and exclusion_code <> 'duplicate' and incident_month is not null
),

-- Every unit on scene has an officer: 11 units are at least 11 officers or so many turns.
large_sector as (
    select agency_id, month, sector, true as is_large
    from beat_unit
    join beat_sector using (agency_id, incident_beat)
    group by agency_id, month, sector
    having count(distinct unit_number) >= 11
),

told as (
    select * replace (if(is_large, sector, 'groups_too_small') as sector)
    from sector_call
    left join large_sector using (agency_id, month, sector)
)

select
    agency_id, month, metric_id, 'not_applicable' as identification_method_code,
    case when grouping(sector) = 0 then 'sector' else 'all' end as slice_code,
    case when grouping(sector) = 0 then sector else 'all' end as slice_value,
    sum(considered_count)::bigint as considered_count,
    sum(considered_count - denominator_count)::bigint as unknown_count,
    sum(denominator_count)::bigint as denominator_count,
    sum(outcome_count)::bigint as outcome_count,
    round(sum(outcome_count) / sum(denominator_count), 6) as outcome_share
from told
group by agency_id, month, metric_id, rollup (sector);

-- De-escalation, force and injury by what the contact's form says.
create or replace temp macro has_code(codes, code) as position('|' || code || '|' in '|' || codes || '|') > 0;
create or replace temp macro untold(code) as
    code is null or code in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable');
create or replace temp macro outcome_of(metric, outcome, is_yes, is_no) as {
    'metric_id': metric, 'outcome_code': outcome,
    'outcome_count': count(case when is_yes then 1 end), 'no_count': count(case when is_no then 1 end)
};
create or replace temp macro technique(technique, codes, is_technique_told) as outcome_of(
    'TR1', technique, is_technique_told and has_code(codes, technique),
    is_technique_told and not has_code(codes, technique)
);
create or replace temp macro injured(party, codes, injury) as outcome_of(
    'TR3', party || '_injured', has_code(codes, party),
    not coalesce(has_code(codes, party), false) and (injury = 'no' or not untold(codes))
);

create table met_training__contact as
with forced as (
    select distinct contact_id, month, true as is_reported
    from warehouse.staging.stg_force_event
    where contact_id is not null and force_used = 'yes'
),

contact as (
    select
        agency_id, month,
        case
            when response_model_code in ('mobile_crisis', 'alternative_no_police') then 'no_police'
            when cit_arrived = 'yes' or response_model_code = 'cit_police' then 'trained'
            when cit_arrived = 'no' then 'not_trained'
            else 'not_recorded'
        end as training,
        coalesce(weapon_present, 'not_recorded') as weapon,
        coalesce(violence_threat, 'not_recorded') as threat,
        coalesce(suicide_risk_code, 'not_recorded') as suicide_risk,
        case
            when position('|' in crisis_nature_codes) > 0 then 'two_or_more'
            else coalesce(crisis_nature_codes, 'not_recorded')
        end as crisis_nature,
        coalesce(contact_reason_code, 'not_recorded') as contact_reason,
        training || ', weapon ' || weapon as training_and_weapon,
        weapon_present = 'yes' or violence_threat = 'yes' as is_harder,
        technique_codes, not untold(technique_codes) as is_technique_told,
        coalesce(is_reported, false) or coalesce(force_used = 'yes', false) as is_forced, force_used,
        injury, injured_party_codes
    from warehouse.marts.fct_contact
    left join forced using (contact_id, month)
),

summed as (
    select
        agency_id, month,
        case
            when grouping(training) = 0 then 'training' when grouping(weapon) = 0 then 'weapon'
            when grouping(threat) = 0 then 'threat' when grouping(suicide_risk) = 0 then 'suicide_risk'
            when grouping(crisis_nature) = 0 then 'crisis_nature'
            when grouping(contact_reason) = 0 then 'contact_reason'
            when grouping(training_and_weapon) = 0 then 'training_and_weapon' else 'all'
        end as slice_code,
        case slice_code
            when 'training' then training when 'weapon' then weapon when 'threat' then threat
            when 'suicide_risk' then suicide_risk when 'crisis_nature' then crisis_nature
            when 'contact_reason' then contact_reason when 'training_and_weapon' then training_and_weapon else 'all'
        end as slice_value,
        count(*) as considered_count,
        count(case when is_harder then 1 end) as harder_count,
        [
            outcome_of(
                'TR1', 'any_technique', is_technique_told and technique_codes <> 'none', technique_codes = 'none'
            ),
            technique('verbal_deescalation', technique_codes, is_technique_told),
            technique('time_distance', technique_codes, is_technique_told),
            technique('active_listening', technique_codes, is_technique_told),
            technique('family_or_peer', technique_codes, is_technique_told),
            technique('clinician_led', technique_codes, is_technique_told),
            technique('telehealth', technique_codes, is_technique_told),
            outcome_of('TR2', 'any_force', is_forced, not is_forced and force_used = 'no'),
            outcome_of('TR3', 'any_injury', injury = 'yes', injury = 'no'),
            injured('subject', injured_party_codes, injury),
            injured('officer', injured_party_codes, injury)
        ] as outcome
    from contact
    group by agency_id, month, grouping sets (
        (), (training), (weapon), (threat), (suicide_risk), (crisis_nature), (contact_reason), (training_and_weapon)
    )
),

told as (
    select * exclude (outcome), unnest(outcome, recursive := true) from summed
)

select
    agency_id, month, told.metric_id, 'field_form' as identification_method_code, outcome_code, slice_code, slice_value,
    told.considered_count, harder_count, told.considered_count - outcome_count - no_count as unknown_count,
    outcome_count + no_count as denominator_count, outcome_count,
    case when outcome_count + no_count > 0 then round(outcome_count / (outcome_count + no_count), 6) end
        as outcome_share
from told
left join met_staffing__cit_certified as certified using (agency_id, month)
-- Force and injury by training are told of groups of at least 11 officers alone.
where told.metric_id = 'TR1' or certified_count >= 11;

-- Certificates as of the month's last day.
create table met_training__certification as
with agency_month as (
    select distinct agency_id, month, last_day(strptime(month, '%Y-%m')) as last_day
    from warehouse.marts.fct_agency_month
    where agency_id in (select agency_id from warehouse.staging.stg_training_record)
),

completed as (
    select
        agency_id, agency_month.month, course_code,
        count(*) as considered_count,
        count(*) filter (expires_date < last_day) as expired_count,
        count(*) filter (expires_date - last_day between 0 and 90) as expiring_count,
        count(*) filter (expires_date - last_day > 90) as later_count,
        count(*) filter (expires_date is null) as without_expiry_count
    from agency_month
    join warehouse.staging.stg_training_record as record using (agency_id)
    where completed_date <= last_day
    group by all
)

select
    agency_id, month, 'TR5' as metric_id, 'not_applicable' as identification_method_code, course_code,
    coalesce(considered_count, 0) as considered_count, coalesce(expired_count, 0) as expired_count,
    coalesce(expiring_count, 0) as expiring_count, coalesce(later_count, 0) as later_count,
    coalesce(without_expiry_count, 0) as without_expiry_count
from agency_month
cross join (values ('cit_40h'), ('cit_advanced'), ('deescalation')) as course (course_code)
left join completed using (agency_id, month, course_code);
