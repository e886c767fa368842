-- Grain: one row per agency, month and population.
{{
    interval_summary(
        'M01', ref('fct_incident'), 'call_processing', 'no_unit_count', "outcome_code = 'missing' and not has_unit_response"
    )
}}
