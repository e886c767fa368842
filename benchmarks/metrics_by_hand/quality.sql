-- Makes met_quality__field and met_quality__timeliness, with one scan of each fact for both.

create or replace temp macro is_code(code) as
    code not in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable');
create or replace temp macro value_field(name, value) as {
    'field': name, 'known_count': count(value), 'unmapped_count': 0
};
create or replace temp macro answer_field(name, answer) as {
    'field': name, 'known_count': count(case when answer in ('yes', 'no') then 1 end), 'unmapped_count': 0
};
create or replace temp macro code_field(name, code) as {
    'field': name, 'known_count': count(case when is_code(code) then 1 end),
    'unmapped_count': count(case when code = 'other' then 1 end)
};
create or replace temp macro between_times(start_at, end_at) as
    epoch_us(end_at) // 1000000 - epoch_us(start_at) // 1000000;
create or replace temp macro step_of(seconds) as {
    'known_count': count(case when seconds >= 0 then 1 end),
    'invalid_count': count(case when seconds < 0 then 1 end),
    'median_seconds': round(quantile_cont(case when seconds >= 0 then seconds end, 0.5), 6),
    'p90_nearest_rank_seconds': quantile_disc(case when seconds >= 0 then seconds end, 0.9)
};

create or replace temp table tally as
select
    agency_id, month, 'incident' as entity, count(*) as considered_count,
    'received_to_closed' as step_code, step_of(between_times(received_at, closed_at)) as step,
    [
        value_field('received_at', received_at),
        value_field('closed_at', closed_at),
        code_field('call_type_initial_code', call_type_initial_code),
        code_field('call_type_final_code', call_type_final_code),
        code_field('call_source_code', call_source_code),
        value_field('priority_initial', priority_initial),
        code_field('cad_disposition_code', cad_disposition_code),
        answer_field('cancelled', cancelled),
        answer_field('duplicate', duplicate),
        value_field('beat', beat)
    ] as field
from warehouse.marts.fct_incident
group by agency_id, month
union all
select
    agency_id, month, 'contact', count(*), 'occurred_to_reported', step_of(between_times(occurred_at, reported_at)),
    [
        value_field('incident_number', incident_number),
        value_field('occurred_at', occurred_at),
        value_field('reported_at', reported_at),
        code_field('response_model_code', response_model_code),
        answer_field('force_used', force_used),
        answer_field('injury', injury),
        answer_field('arrestable_offense', arrestable_offense),
        code_field('officer_discretion_basis_code', officer_discretion_basis_code),
        code_field('suicide_risk_code', suicide_risk_code),
        code_field('age_band_code', age_band_code),
        code_field('sex_gender_code', sex_gender_code),
        code_field('housing_status_code', housing_status_code),
        value_field('beat', beat)
    ]
from warehouse.marts.fct_contact
group by agency_id, month
union all
select
    agency_id, month, 'unit_response', count(*), null, null,
    [
        value_field('incident_number', incident_number),
        value_field('dispatched_at', dispatched_at),
        value_field('enroute_at', enroute_at),
        value_field('on_scene_at', on_scene_at),
        value_field('cleared_at', cleared_at),
        code_field('unit_type_code', unit_type_code),
        code_field('response_model_code', response_model_code),
        value_field('officer_count', officer_count),
        value_field('clinician_count', clinician_count)
    ]
from warehouse.marts.fct_unit_response
group by agency_id, month
union all
select
    agency_id, month, 'contact_disposition', count(*), null, null, [code_field('disposition_code', disposition_code)]
from warehouse.marts.bridge_contact_disposition
group by agency_id, month
union all
select
    agency_id, month, 'jail_booking', count(*), null, null,
    [
        value_field('incident_number', incident_number),
        value_field('booked_at', booked_at),
        value_field('released_at', released_at),
        code_field('charge_level_code', charge_level_code),
        code_field('release_type_code', release_type_code)
    ]
from warehouse.marts.fct_jail_booking
group by agency_id, month;

create table met_quality__field as
with told as (
    select agency_id, month, entity, considered_count, unnest(field, recursive := true) from tally
)

select
    agency_id, month, 'Q01' as metric_id, 'not_applicable' as identification_method_code, entity, field,
    considered_count, known_count, considered_count - known_count as unknown_count, unmapped_count,
    round(known_count / considered_count, 6) as known_share,
    round(unmapped_count / considered_count, 6) as unmapped_share
from told
join (select agency_id, entity, field from warehouse.staging.stg_agency_field where is_mapped) as sent
    using (agency_id, entity, field);

create table met_quality__timeliness as
with told as (
    select agency_id, month, step_code, considered_count, unnest(step) from tally where step_code is not null
)

select
    agency_id, month, 'Q02.' || step_code as metric_id, 'not_applicable' as identification_method_code, step_code,
    considered_count, known_count, considered_count - known_count - invalid_count as missing_count, invalid_count,
    median_seconds, p90_nearest_rank_seconds
from told;
