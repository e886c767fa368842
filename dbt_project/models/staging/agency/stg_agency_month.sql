-- Grain: one row per agency and month with at least one input row.
with agency_month as (
    select * from {{ source('input', 'agency_month') }} as agency_month
    where {{ in_window('agency_month') }}
),

final as (
    select
        agency_id,
        month
    from agency_month
)

select * from final
