-- Grain: one row per agency, month and population.
{{
    interval_summary(
        'M07', ref('fct_unit_response'), 'scene', 'cancelled_unit_count', "outcome_code = 'not_applicable'"
    )
}}
