-- Grain: one row per agency, month, metric, window in days, slice and value of the slice. Rebuilt whole by each run.
{{ config(materialized='table') }}
{%- set slices = ['sector'] %}
{%- set scenes = {'WE1': 'is_crisis', 'WE2': 'is_suicide', 'WE3': 'is_death'} %}

with availability as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('WE1', 'WE2', 'WE3', 'WE4')
),

agency_month as (
    select * from {{ ref('stg_agency_month') }}
),

sends_days as (
    select agency_id
    from {{ ref('stg_agency_field') }}
    where entity = 'injury' and field in ('missed_work_days', 'injury_party_code') and is_mapped
    group by agency_id
    having count(*) = 2
),

contact as (
    select * from {{ ref('fct_contact') }}
),

shift as (
    select * from {{ ref('fct_shift') }}
),

injury as (
    select * from {{ ref('stg_injury') }}
    where injury_party_code = 'officer'
),

certified as (
    select * from {{ ref('met_staffing__cit_certified') }}
),

month_end as (
    select
        month,
        max(calendar_date) as last_day
    from {{ ref('dim_date') }}
    group by month
),

window_length as (
    {{ numbers_listed([30, 90, 365], 'window_days') }}
),

held as (
    select distinct linked_incident_id as incident_id
    from contact
    where
        legal_hold_code = 'involuntary'
        and linked_incident_id is not null
),

-- Few calls expose to anything: their units alone are looked at.
exposing_call as (
    select
        incident.incident_id,
        incident.sector,
        coalesce(incident.bh_any = 'yes', false) as is_crisis,
        coalesce(
            incident.call_type_initial_bh_kind_code = 'suicide' or incident.call_type_final_bh_kind_code = 'suicide',
            false
        ) as is_suicide,
        coalesce(incident.call_type_initial_code = 'DEATH' or incident.call_type_final_code = 'DEATH', false)
            as is_death,
        held.incident_id is not null as is_hold
    from {{ ref('fct_incident') }} as incident
    left join held on incident.incident_id = held.incident_id
    where
        incident.bh_any = 'yes'
        or incident.call_type_initial_bh_kind_code = 'suicide'
        or incident.call_type_final_bh_kind_code = 'suicide'
        or incident.call_type_initial_code = 'DEATH'
        or incident.call_type_final_code = 'DEATH'
        or held.incident_id is not null
),

exposure as (
    select
        unit_response.agency_id,
        exposing_call.sector,
        cast(unit_response.on_scene_local_at as date) as event_day,
        exposing_call.is_crisis,
        exposing_call.is_suicide,
        exposing_call.is_death,
        exposing_call.is_hold,
        unit_response.officer_count,
        -- Past the end of the unit's own shift; null where either time is not known.
        greatest(0, {{ seconds_between('shift.ended_at', 'unit_response.cleared_at') }}) * unit_response.officer_count
            as late_seconds
    from {{ ref('fct_unit_response') }} as unit_response
    inner join exposing_call on unit_response.incident_id = exposing_call.incident_id
    left join shift on case when exposing_call.is_hold then unit_response.shift_id end = shift.shift_id
    where unit_response.on_scene_local_at is not null
),

-- One row a day: windows overlap, so exposures are added up once before.
exposed_day as (
    select
        {%- for metric_id, flag in scenes.items() %}
        count(case when {{ flag }} then 1 end) as {{ metric_id | lower }}_considered,
        count(case when {{ flag }} then officer_count end) as {{ metric_id | lower }}_known,
        sum(case when {{ flag }} then officer_count end) as {{ metric_id | lower }}_amount,
        {%- endfor %}
        count(case when is_hold then 1 end) as we4_considered,
        count(case when is_hold then late_seconds end) as we4_known,
        sum(case when is_hold then late_seconds end) as we4_amount,
        agency_id,
        sector,
        event_day
    from exposure
    group by agency_id, sector, event_day
),

beat_sector as (
    {{ sectors_of_beats(ref('fct_incident')) }}
),

beat_month as (
    select
        agency_id,
        incident_beat,
        unit_number,
        date_trunc('month', on_scene_local_at) as month_start,
        cast(min(on_scene_local_at) as date) as first_day,
        cast(max(on_scene_local_at) as date) as last_day
    from {{ ref('fct_unit_response') }}
    where on_scene_local_at is not null
    group by agency_id, incident_beat, unit_number, date_trunc('month', on_scene_local_at)
),

-- Units of a call without a beat, or of a beat in several sectors.
unsure_arrival as (
    select
        agency_id,
        incident_id,
        unit_number,
        cast(on_scene_local_at as date) as event_day
    from {{ ref('fct_unit_response') }}
    where
        on_scene_local_at is not null
        and incident_beat is null
    union all
    select
        unit_response.agency_id,
        unit_response.incident_id,
        unit_response.unit_number,
        cast(unit_response.on_scene_local_at as date) as event_day
    from {{ ref('fct_unit_response') }} as unit_response
    inner join beat_sector
        on
            unit_response.agency_id = beat_sector.agency_id
            and unit_response.incident_beat = beat_sector.beat
    where
        unit_response.on_scene_local_at is not null
        and beat_sector.sector_count > 1
),

-- Windows end with a month: the last day of a unit in a month tells which windows that month's days are in.
unit_month as (
    select
        beat_month.agency_id,
        beat_sector.sector,
        beat_month.unit_number,
        beat_month.first_day,
        beat_month.last_day
    from beat_month
    inner join beat_sector
        on
            beat_month.agency_id = beat_sector.agency_id
            and beat_month.incident_beat = beat_sector.beat
    where beat_sector.sector_count = 1
    union all
    select
        unsure_arrival.agency_id,
        incident.sector,
        unsure_arrival.unit_number,
        min(unsure_arrival.event_day) as first_day,
        max(unsure_arrival.event_day) as last_day
    from unsure_arrival
    inner join {{ ref('fct_incident') }} as incident on unsure_arrival.incident_id = incident.incident_id
    group by
        unsure_arrival.agency_id,
        incident.sector,
        unsure_arrival.unit_number,
        date_trunc('month', unsure_arrival.event_day)
),

injury_day as (
    select
        agency_id,
        cast(occurred_local_at as date) as event_day,
        count(*) as we5_considered,
        count(missed_work_days) as we5_known,
        sum(missed_work_days) as we5_amount
    from injury
    where occurred_local_at is not null
    group by agency_id, cast(occurred_local_at as date)
),

first_day as (
    select
        agency_id,
        min(first_day) as first_day
    from unit_month
    group by agency_id
),

-- A window ends with the month's last day; it may begin before the records, which observed_days tells.
span as (
    select
        agency_month.agency_id,
        agency_month.month,
        month_end.last_day,
        {{ days_before('month_end.last_day', 'window_length.window_days - 1') }} as first_day,
        window_length.window_days,
        cast(least(
            window_length.window_days,
            greatest(0, {{ seconds_between('first_day.first_day', 'month_end.last_day') }} / 86400 + 1)
        ) as integer) as observed_days,
        certified.certified_count
    from agency_month
    inner join month_end on agency_month.month = month_end.month
    inner join first_day on agency_month.agency_id = first_day.agency_id
    cross join window_length
    left join certified
        on
            agency_month.agency_id = certified.agency_id
            and agency_month.month = certified.month
),

unit_window as (
    select
        span.agency_id,
        span.month,
        span.window_days,
        span.observed_days,
        span.certified_count,
        unit_month.sector,
        count(distinct unit_month.unit_number) as unit_count
    from span
    inner join unit_month
        on
            span.agency_id = unit_month.agency_id
            and unit_month.last_day between span.first_day and span.last_day
    group by
        span.agency_id, span.month, span.window_days, span.observed_days, span.certified_count, unit_month.sector
),

exposed_window as (
    select
        {%- for metric in ['we1', 'we2', 'we3', 'we4'] %}
        sum(exposed_day.{{ metric }}_considered) as {{ metric }}_considered,
        sum(exposed_day.{{ metric }}_known) as {{ metric }}_known,
        sum(exposed_day.{{ metric }}_amount) as {{ metric }}_amount,
        {%- endfor %}
        span.agency_id,
        span.month,
        span.window_days,
        exposed_day.sector
    from span
    inner join exposed_day
        on
            span.agency_id = exposed_day.agency_id
            and exposed_day.event_day between span.first_day and span.last_day
    group by span.agency_id, span.month, span.window_days, exposed_day.sector
),

-- The warehouse knows no officer; that so many units came, or so many hold a certificate, is the least there are.
sector_window as (
    select
        {%- for metric in ['we1', 'we2', 'we3', 'we4'] %}
        exposed_window.{{ metric }}_considered,
        exposed_window.{{ metric }}_known,
        exposed_window.{{ metric }}_amount,
        {%- endfor %}
        unit_window.agency_id,
        unit_window.month,
        unit_window.window_days,
        unit_window.observed_days,
        unit_window.certified_count,
        case
            when unit_window.unit_count >= 11 then coalesce(unit_window.sector, 'groups_too_small')
            else 'groups_too_small'
        end as sector,
        unit_window.unit_count
    from unit_window
    left join exposed_window
        on
            unit_window.agency_id = exposed_window.agency_id
            and unit_window.month = exposed_window.month
            and unit_window.window_days = exposed_window.window_days
            and unit_window.sector is not distinct from exposed_window.sector
),

injury_window as (
    select
        span.agency_id,
        span.month,
        span.window_days,
        sum(injury_day.we5_considered) as we5_considered,
        sum(injury_day.we5_known) as we5_known,
        sum(injury_day.we5_amount) as we5_amount
    from span
    inner join injury_day
        on
            span.agency_id = injury_day.agency_id
            and injury_day.event_day between span.first_day and span.last_day
    group by span.agency_id, span.month, span.window_days
),

summed as (
    select
        agency_id,
        month,
        window_days,
        {{ slice_columns(slices) }},
        {%- for metric in ['we1', 'we2', 'we3', 'we4'] %}
        sum({{ metric }}_considered) as {{ metric }}_considered,
        sum({{ metric }}_known) as {{ metric }}_known,
        sum({{ metric }}_amount) as {{ metric }}_amount,
        {%- endfor %}
        max(observed_days) as observed_days,
        greatest(max(unit_count), coalesce(max(certified_count), 0)) as least_officers
    from sector_window
    group by {{ sliced_by(['agency_id', 'month', 'window_days'], slices) }}
),

counted as (
    {%- for metric in ['we1', 'we2', 'we3', 'we4'] %}
    select
        agency_id,
        month,
        '{{ metric | upper }}' as metric_id,
        window_days,
        slice_code,
        slice_value,
        {{ metric }}_considered as considered_count,
        {{ metric }}_known as known_count,
        {{ metric }}_considered - {{ metric }}_known as unknown_count,
        -- Seconds are whole until here: a sum of hours would hang on the order of its parts.
        case
            when {{ metric }}_known > 0
                then round(cast({{ metric }}_amount as double){{ ' / 3600' if metric == 'we4' }}, 2)
        end as amount
    from summed
    union all
    {%- endfor %}
    select
        agency_id,
        month,
        'WE5' as metric_id,
        window_days,
        'all' as slice_code,
        'all' as slice_value,
        we5_considered as considered_count,
        we5_known as known_count,
        we5_considered - we5_known as unknown_count,
        case when we5_known > 0 then cast(we5_amount as double) end as amount
    from injury_window
),

-- Groups of at least 11 officers alone: an agency of which fewer are sure tells nothing.
told as (
    select
        agency_id,
        month,
        metric_id,
        identification_method_code,
        availability_code,
        availability_reason
    from availability
    union all
    select
        agency_month.agency_id,
        agency_month.month,
        'WE5' as metric_id,
        'not_applicable' as identification_method_code,
        case when sends_days.agency_id is null then 'not_available' else 'available' end as availability_code,
        case when sends_days.agency_id is null then 'The agency does not send days lost to injury.' else '' end
            as availability_reason
    from agency_month
    left join sends_days on agency_month.agency_id = sends_days.agency_id
),

agency_window as (
    select
        span.agency_id,
        span.month,
        span.window_days,
        span.observed_days,
        coalesce(summed.least_officers, span.certified_count, 0) as least_officers
    from span
    left join summed
        on
            span.agency_id = summed.agency_id
            and span.month = summed.month
            and span.window_days = summed.window_days
            and summed.slice_code = 'all'
),

metric_row as (
    select
        told.agency_id,
        told.month,
        told.metric_id,
        told.identification_method_code,
        window_length.window_days,
        agency_window.observed_days,
        case when agency_window.least_officers >= 11 then told.availability_code else 'not_available' end
            as availability_code,
        case
            when told.availability_code = 'not_available' or agency_window.least_officers >= 11
                then told.availability_reason
            else 'Not sure to be a group of at least 11 officers.'
        end as availability_reason
    from told
    cross join window_length
    left join agency_window
        on
            told.agency_id = agency_window.agency_id
            and told.month = agency_window.month
            and window_length.window_days = agency_window.window_days
),

final as (
    select
        {{ metric_columns('officer') }},
        metric_row.window_days,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        metric_row.observed_days,
        {{ available_count('considered_count') }},
        {{ available_count('known_count') }},
        {{ available_count('unknown_count') }},
        {{ available_value('amount') }},
        case metric_row.metric_id when 'WE4' then 'hours' when 'WE5' then 'days' else 'officers on scene' end
            as amount_unit
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
            and metric_row.window_days = counted.window_days
)

select * from final
