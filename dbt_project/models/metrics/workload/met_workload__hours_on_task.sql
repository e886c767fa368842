-- Grain: one row per agency, month and population.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M08'
),

unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where {{ in_window('unit_response') }}
),

population as (
    {{- by_population('unit_response') }}
),

summed as (
    select
        agency_id,
        month,
        identification_method_code,
        count(*) as considered_count,
        count(case when response_scope_code <> 'unit' then 1 end) as not_by_unit_count,
        count(case when response_scope_code = 'unit' then 1 end) as response_count,
        count(case when response_scope_code = 'unit' and task_status_code in {{ known_statuses() }} then 1 end)
            as known_count,
        count(case when response_scope_code = 'unit' and task_status_code in {{ missing_statuses() }} then 1 end)
            as missing_count,
        count(case when response_scope_code = 'unit' and task_status_code in {{ unusable_statuses() }} then 1 end)
            as invalid_count,
        count(officer_seconds) as officer_known_count,
        count(clinician_seconds) as clinician_known_count,
        sum(case when response_scope_code = 'unit' then task_seconds end) as unit_seconds,
        sum(officer_seconds) as officer_seconds,
        sum(clinician_seconds) as clinician_seconds
    from population
    group by agency_id, month, identification_method_code
),

counted as (
    select
        *,
        response_count - officer_known_count as officer_unknown_count,
        response_count - clinician_known_count as clinician_unknown_count,
        {{ known_hours('unit_seconds', 'known_count') }} as unit_hours,
        {{ known_hours('officer_seconds', 'officer_known_count') }} as officer_hours,
        {{ known_hours('clinician_seconds', 'clinician_known_count') }} as clinician_hours
    from summed
),

final as (
    select
        {{ metric_columns() }},
        {{ available_count('considered_count') }},
        {{ available_count('not_by_unit_count') }},
        {{ available_count('response_count') }},
        {{ available_count('known_count') }},
        {{ available_count('missing_count') }},
        {{ available_count('invalid_count') }},
        {{ available_count('officer_known_count') }},
        {{ available_count('officer_unknown_count') }},
        {{ available_count('clinician_known_count') }},
        {{ available_count('clinician_unknown_count') }},
        {{ available_value('unit_hours') }},
        {{ available_value('officer_hours') }},
        {{ available_value('clinician_hours') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
