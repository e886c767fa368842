-- Grain: one row per agency, month, slice (all, kind of place) and value of the slice.
{%- set slices = ['capacity_kind'] %}
{%- set sums = ['staffed', 'occupied', 'open', 'drop_off', 'police_drop_off', 'refused_drop_off'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'ND3'
),

capacity as (
    select * from {{ ref('stg_facility_capacity') }} as capacity
    where {{ in_window('capacity') }}
),

told as (
    select
        capacity.agency_id,
        capacity.month,
        {{ slice_value('capacity.capacity_kind_code') }} as capacity_kind,
        capacity.closed_to_drop_off,
        {%- for name in sums %}
        capacity.{{ name }}_count,
        {%- endfor %}
        capacity.staffed_count is not null and capacity.occupied_count is not null as is_known
    from capacity
),

summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        {%- for name in sums[:3] %}
        cast(coalesce(sum(case when is_known then {{ name }}_count end), 0) as bigint) as {{ name }}_sum,
        {%- endfor %}
        {%- for name in sums[3:] %}
        cast(sum({{ name }}_count) as bigint) as {{ name }}_sum,
        {%- endfor %}
        count(case when is_known then 1 end) as known_count,
        count(case when is_known and occupied_count >= staffed_count then 1 end) as full_count,
        count(case when closed_to_drop_off = 'yes' then 1 end) as closed_count,
        count(*) as considered_count
    from told
    group by {{ sliced_by(['agency_id', 'month'], slices) }}
),

counted as (
    select
        *,
        considered_count - known_count as unknown_count,
        {{ share('occupied_sum', 'staffed_sum') }} as occupied_ratio,
        {{ share('full_count', 'known_count') }} as full_share
    from summed
),

final as (
    select
        {{ metric_columns('observation') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('known_count') }},
        {{ available_count('full_count') }},
        {{ available_count('closed_count') }},
        {%- for name in sums %}
        {{ available_value(name ~ '_sum') }},
        {%- endfor %}
        {{ available_value('full_share') }},
        {{ available_value('occupied_ratio') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
