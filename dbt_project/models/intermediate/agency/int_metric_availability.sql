-- Grain: one row per agency and month of the window, metric, and way of identifying behavioral-health calls.
select
    availability.agency_id,
    availability.month,
    availability.metric_id,
    availability.identification_method_code,
    availability.availability_code,
    availability.availability_reason
from {{ ref('int_metric_availability_ever') }} as availability
where {{ in_window('availability') }}
