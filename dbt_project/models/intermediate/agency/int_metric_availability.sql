-- Grain: one row per agency and month of the window, metric, and way of identifying behavioral-health calls.
with availability as (
    select * from {{ ref('int_metric_availability_ever') }} as availability
    where {{ in_window('availability') }}
)

select * from availability
