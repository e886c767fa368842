-- Grain: one row per agency and month of the window, metric, and way of identifying behavioral-health calls.
{{ metric_availability(is_windowed=true) }}

select * from final
