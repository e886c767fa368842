-- Grain: one row per agency, month and step from an event to its record.
{%- set steps = {
    'received_to_closed': ['incident', 'fct_incident', 'received_at', 'closed_at'],
    'occurred_to_reported': ['contact', 'fct_contact', 'occurred_at', 'reported_at'],
} %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('Q02.received_to_closed', 'Q02.occurred_to_reported', 'Q02.received_to_landed')
),

step as (
    {%- for code, (entity, table, start, end) in steps.items() %}
    select
        {{ entity }}.agency_id,
        {{ entity }}.month,
        'Q02.{{ code }}' as metric_id,
        {{ seconds_between(entity ~ '.' ~ start, entity ~ '.' ~ end) }} as seconds
    from {{ ref(table) }} as {{ entity }}
    where {{ in_window(entity) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

judged as (
    select
        *,
        case when seconds >= 0 then seconds end as known_seconds
    from step
),

counted as (
    select
        agency_id,
        month,
        metric_id,
        count(*) as considered_count,
        count(known_seconds) as known_count,
        count(case when seconds < 0 then 1 end) as invalid_count,
        count(case when seconds is null then 1 end) as missing_count,
        {{ share('count(known_seconds)', 'count(*)') }} as known_share,
        round({{ percentile_interpolated('known_seconds', 0.5) }}, 6) as median_seconds,
        {{ percentile_nearest_rank('known_seconds', 0.9) }} as p90_nearest_rank_seconds
    from judged
    group by agency_id, month, metric_id
),

final as (
    select
        {{ metric_columns('row') }},
        substr(metric_row.metric_id, 5) as step_code,
        {%- for column in ['considered_count', 'known_count', 'missing_count', 'invalid_count'] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('known_share') }},
        {{ available_value('median_seconds') }},
        {{ available_value('p90_nearest_rank_seconds') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
