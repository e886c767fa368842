-- Grain: one row per agency, month and population.
{{ interval_summary('M01', {'no_unit_count': 'no_unit_count'}) }}
