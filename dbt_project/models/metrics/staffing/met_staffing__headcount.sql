-- Grain: one row per agency, month and population.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M44'
),

needed as (
    select * from {{ ref('met_staffing__offered_load') }} as needed
    where
        {{ in_window('needed') }}
        and needed.is_units_needed
),

crew as (
    select * from {{ ref('met_workload__demand') }} as crew
    where
        {{ in_window('crew') }}
        and crew.slice_code = 'all'
),

parameter as (
    select
        max(case when parameter_key = 'net_hours_per_year' then value end) as net_hours_per_year,
        max(case when parameter_key = 'days_per_year' then value end) as days_per_year
    from {{ ref('staffing_parameter') }}
),

-- An hour in which nothing came needs nobody by this reckoning.
summed as (
    select
        agency_id,
        month,
        identification_method_code,
        count(*) as hours_with_work,
        sum(units_on_duty) as unit_hours_a_week
    from needed
    group by agency_id, month, identification_method_code
),

counted as (
    select
        crew.agency_id,
        crew.month,
        crew.identification_method_code,
        crew.response_count,
        crew.known_count,
        crew.officer_known_count,
        coalesce(summed.hours_with_work, 0) as hours_with_work,
        summed.unit_hours_a_week,
        -- Mean over the responses with known officers, each weighted by the mean task.
        case
            when crew.officer_known_count > 0
                then
                    (cast(crew.officer_seconds as double) / crew.officer_known_count)
                    / (cast(crew.unit_seconds as double) / crew.known_count)
        end as officers_per_unit,
        parameter.net_hours_per_year,
        -- Persons that one post around the clock takes.
        24 * parameter.days_per_year / parameter.net_hours_per_year as relief_factor,
        summed.unit_hours_a_week * parameter.days_per_year / 7 as unit_hours_a_year
    from crew
    cross join parameter
    left join summed
        on
            crew.agency_id = summed.agency_id
            and crew.month = summed.month
            and crew.identification_method_code = summed.identification_method_code
),

final as (
    select
        {{ metric_columns() }},
        {{ available_count('response_count') }},
        {{ available_count('officer_known_count') }},
        {{ available_count('hours_with_work') }},
        cast(counted.unit_hours_a_week as bigint) as unit_hours_a_week,
        round(counted.unit_hours_a_year, 4) as unit_hours_a_year,
        round(counted.officers_per_unit, 6) as officers_per_unit,
        counted.net_hours_per_year as net_hours_a_year,
        round(counted.relief_factor, 6) as relief_factor,
        {{ people_for_hours('counted.unit_hours_a_year * counted.officers_per_unit', 'counted.net_hours_per_year') }}
            as officers_needed,
        cast(
            ceil(
                {{
                    people_for_hours(
                        'counted.unit_hours_a_year * counted.officers_per_unit', 'counted.net_hours_per_year'
                    )
                }}
            ) as bigint
        ) as headcount
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
