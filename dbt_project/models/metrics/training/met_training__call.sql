-- Grain: one row per agency, month, metric, slice and value of the slice; the slice 'all' is the total.
{%- set slices = ['sector'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('TR4', 'TR6')
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and not coalesce(incident.is_duplicate, false)
),

form as (
    select * from {{ ref('int_incident_form') }}
),

-- Calls that are told alike are one row. Only of calls of behavioral health is a form asked for.
alike as (
    select
        incident.agency_id,
        incident.month,
        incident.beat,
        incident.sector,
        incident.bh_call_type_initial,
        incident.bh_call_type_final,
        incident.first_on_scene_at is not null as is_reached,
        form.incident_id is not null as has_form,
        count(*) as call_count
    from incident
    left join form
        on
            case
                when incident.bh_call_type_initial = 'yes' or incident.bh_call_type_final = 'yes'
                    then incident.incident_id
            end = form.incident_id
    group by all
),

beat_sector as (
    {{ sectors_of_beats('alike') }}
),

-- Units on scene by the beat and month of their call.
beat_unit as (
    select
        unit_response.agency_id,
        unit_response.incident_month as month,
        unit_response.incident_beat,
        unit_response.unit_number
    from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and unit_response.on_scene_at is not null
        and unit_response.exclusion_code <> 'duplicate'
        and unit_response.incident_beat is not null
    group by
        unit_response.agency_id,
        unit_response.incident_month,
        unit_response.incident_beat,
        unit_response.unit_number
),

-- Units of a call without a beat, or of a beat in several sectors.
unsure_unit as (
    select
        unit_response.agency_id,
        unit_response.month,
        unit_response.incident_id,
        unit_response.unit_number
    from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and unit_response.on_scene_at is not null
        and unit_response.incident_beat is null
    union all
    select
        unit_response.agency_id,
        unit_response.month,
        unit_response.incident_id,
        unit_response.unit_number
    from {{ ref('fct_unit_response') }} as unit_response
    inner join beat_sector
        on
            unit_response.agency_id = beat_sector.agency_id
            and unit_response.incident_beat = beat_sector.beat
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and unit_response.on_scene_at is not null
        and beat_sector.sector_count > 1
),

sector_unit as (
    select
        beat_unit.agency_id,
        beat_unit.month,
        beat_sector.sector,
        beat_unit.unit_number
    from beat_unit
    inner join beat_sector
        on
            beat_unit.agency_id = beat_sector.agency_id
            and beat_unit.incident_beat = beat_sector.beat
    where
        {{ in_window('beat_unit') }}
        and beat_sector.sector_count = 1
    union all
    select
        incident.agency_id,
        incident.month,
        incident.sector,
        unsure_unit.unit_number
    from unsure_unit
    inner join {{ ref('fct_incident') }} as incident on unsure_unit.incident_id = incident.incident_id
    where
        {{ in_window('incident') }}
        and not coalesce(incident.is_duplicate, false)
        and {{ months_near('incident', 'unsure_unit', lookahead_months=1) }}
),

-- The warehouse knows no officer, but every unit on scene has one: 11 units are at least 11 officers or so many turns.
large_sector as (
    select
        agency_id,
        month,
        sector
    from sector_unit
    group by agency_id, month, sector
    having count(distinct unit_number) >= 11
),

told as (
    select
        alike.agency_id,
        alike.month,
        alike.call_count,
        coalesce(large_sector.sector, 'groups_too_small') as sector,
        alike.bh_call_type_initial = 'no' as is_tr4,
        case
            when alike.bh_call_type_final in ('yes', 'no') then alike.bh_call_type_final
            else 'unknown'
        end as tr4,
        coalesce(alike.bh_call_type_initial = 'yes' or alike.bh_call_type_final = 'yes', false) as is_tr6,
        case when alike.has_form then 'no' else 'yes' end as tr6
    from alike
    left join large_sector
        on
            alike.agency_id = large_sector.agency_id
            and alike.month = large_sector.month
            and alike.sector = large_sector.sector
    where alike.is_reached
),

summed as (
    select
        {%- for metric in ['tr4', 'tr6'] %}
        sum(case when is_{{ metric }} then call_count else 0 end) as {{ metric }}_considered,
        sum(case when is_{{ metric }} and {{ metric }} = 'yes' then call_count else 0 end) as {{ metric }}_yes,
        sum(case when is_{{ metric }} and {{ metric }} in ('yes', 'no') then call_count else 0 end)
            as {{ metric }}_known,
        {%- endfor %}
        agency_id,
        month,
        {{ slice_columns(slices) }}
    from told
    group by {{ sliced_by(['agency_id', 'month'], slices) }}
),

counted as (
    {%- for metric in ['tr4', 'tr6'] %}
    select
        agency_id,
        month,
        '{{ metric | upper }}' as metric_id,
        slice_code,
        slice_value,
        {{ metric }}_considered as considered_count,
        {{ metric }}_considered - {{ metric }}_known as unknown_count,
        {{ metric }}_known as denominator_count,
        {{ metric }}_yes as outcome_count,
        {{ share(metric ~ '_yes', metric ~ '_known') }} as outcome_share
    from summed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        {{ metric_columns('call') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
