-- Grain: one row per agency, month and population.
{{
    interval_summary(
        'M05', ref('fct_incident'), 'incident_response', 'no_unit_count', "outcome_code in " ~ missing_statuses() ~ " and not has_unit_response"
    )
}}
