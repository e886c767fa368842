-- Grain: one row per agency and month of all, metric, and way of identifying behavioral-health calls.
{{ metric_availability(is_windowed=false) }}

select * from final
