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

unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and unit_response.on_scene_at is not null
),

-- The warehouse knows no officer, but every unit on scene has one: 11 units are at least 11 officers or so many turns.
large_sector as (
    select
        incident.agency_id,
        incident.month,
        incident.sector
    from incident
    inner join unit_response on incident.incident_id = unit_response.incident_id
    where {{ months_near('incident', 'unit_response', lookahead_months=1) }}
    group by incident.agency_id, incident.month, incident.sector
    having count(distinct unit_response.unit_number) >= 11
),

told as (
    select
        incident.agency_id,
        incident.month,
        coalesce(large_sector.sector, 'groups_too_small') as sector,
        incident.bh_call_type_initial = 'no' as is_tr4,
        case
            when incident.bh_call_type_final in ('yes', 'no') then incident.bh_call_type_final
            else 'unknown'
        end as tr4,
        coalesce(incident.bh_call_type_initial = 'yes' or incident.bh_call_type_final = 'yes', false) as is_tr6,
        case when form.incident_id is null then 'yes' else 'no' end as tr6
    from incident
    left join large_sector
        on
            incident.agency_id = large_sector.agency_id
            and incident.month = large_sector.month
            and incident.sector = large_sector.sector
    left join form on incident.incident_id = form.incident_id
    where incident.first_on_scene_at is not null
),

summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        {%- for metric in ['tr4', 'tr6'] %}
        count(case when is_{{ metric }} then 1 end) as {{ metric }}_considered,
        count(case when is_{{ metric }} and {{ metric }} = 'yes' then 1 end) as {{ metric }}_yes,
        count(case when is_{{ metric }} and {{ metric }} in ('yes', 'no') then 1 end) as {{ metric }}_known,
        {%- endfor %}
        count(*) as call_count
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
