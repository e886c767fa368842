-- Grain: one row per agency, month, slice and value of the slice; the slice 'all' is the total.
{%- set slices = ['destination', 'refusal_reason'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'ND2'
),

transport as (
    select * from {{ ref('fct_transport') }} as transport
    where {{ in_window('transport') }}
),

told as (
    select
        transport.agency_id,
        transport.month,
        {{ slice_value('transport.destination_code') }} as destination,
        case
            when transport.drop_off_refused = 'no' then 'not_refused'
            when transport.drop_off_refused = 'yes' then {{ slice_value('transport.refusal_reason_code') }}
            else 'not_known_whether_refused'
        end as refusal_reason,
        transport.drop_off_refused
    from transport
),

summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        count(case when drop_off_refused = 'yes' then 1 end) as refused_count,
        count(case when drop_off_refused in ('yes', 'no') then 1 end) as denominator_count,
        count(*) as considered_count
    from told
    group by {{ sliced_by(['agency_id', 'month'], slices) }}
),

counted as (
    select
        *,
        considered_count - denominator_count as unknown_count,
        {{ share('refused_count', 'denominator_count') }} as refused_share
    from summed
),

final as (
    select
        {{ metric_columns('trip') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('refused_count') }},
        {{ available_value('refused_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
