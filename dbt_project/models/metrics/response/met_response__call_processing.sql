-- Grain: one row per agency, month and population.
{{
    interval_summary(
        'M01', ref('fct_incident'), 'call_processing', 'no_unit_count', "outcome_code in " ~ missing_statuses() ~ " and not has_unit_response"
    )
}}
