-- Grain: one row per agency, month and population.
{{ interval_summary('M07', {'cancelled_unit_count': 'not_applicable_count'}) }}
