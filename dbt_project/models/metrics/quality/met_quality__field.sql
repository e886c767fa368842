-- Grain: one row per agency, month, entity and field that a metric or a join needs.
with field as (
    select * from {{ ref('int_field_known') }}
),

-- In a month without rows nothing is missing and nothing is known.
metric_row as (
    select
        *,
        'Q01' as metric_id,
        'not_applicable' as identification_method_code,
        case when is_sent and considered_count > 0 then 'available' else 'not_available' end as availability_code,
        case
            when not is_sent then 'The agency does not send it.'
            when considered_count = 0 then 'This month has no rows of ' || entity || '.'
            else ''
        end as availability_reason
    from field
),

counted as (
    select
        *,
        considered_count - known_count as unknown_count,
        {{ share('known_count', 'considered_count') }} as known_share,
        {{ share('unmapped_count', 'considered_count') }} as unmapped_share
    from metric_row
),

final as (
    select
        {{ metric_columns('row') }},
        metric_row.entity,
        metric_row.field,
        {%- for column in ['considered_count', 'known_count', 'unknown_count', 'unmapped_count'] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('known_share') }},
        {{ available_value('unmapped_share') }}
    from metric_row
    inner join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.entity = counted.entity
            and metric_row.field = counted.field
)

select * from final
