-- Grain: one row per agency, month and population.
{{
    interval_summary(
        'M04', ref('fct_unit_response'), 'response', 'cancelled_unit_count', "outcome_code = 'not_applicable'"
    )
}}
