-- Grain: one row per agency, month, population, hour of the week and number of units on duty.
{%- set most_units = 10000 %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M40'
),

demand as (
    select * from {{ ref('met_workload__demand') }} as demand
    where
        {{ in_window('demand') }}
        and demand.slice_code = 'hour_of_week'
        and demand.hour_of_week <> 'not_recorded'
),

parameter as (
    select
        max(case when parameter_key = 'wait_limit_seconds' then value end) as wait_limit_seconds,
        max(case when parameter_key = 'wait_longer_share' then value end) as wait_longer_share
    from {{ ref('staffing_parameter') }}
),

-- How often each day of the week came in the month.
weekday as (
    select
        month,
        cast(iso_day_of_week as varchar) as day_number,
        count(*) as hours_observed
    from {{ ref('dim_date') }}
    group by month, iso_day_of_week
),

-- A response whose time is not known is taken to last as long as the mean of its hour.
loaded as (
    select
        row_number() over () as cell_number,
        demand.agency_id,
        demand.month,
        demand.identification_method_code,
        demand.hour_of_week,
        weekday.hours_observed,
        demand.response_count,
        demand.known_count,
        demand.officer_known_count,
        demand.officer_seconds,
        cast(demand.unit_seconds as double) / demand.known_count as service_seconds,
        cast(demand.response_count as double) / weekday.hours_observed as arrival_rate,
        cast(demand.response_count as double) / weekday.hours_observed
        * demand.unit_seconds / demand.known_count / 3600 as offered_load
    from demand
    inner join weekday
        on
            demand.month = weekday.month
            and substr(demand.hour_of_week, 1, 1) = weekday.day_number
),

number as (
    {{ integers(0, most_units) }}
),

factorial as (
    select
        n,
        sum(case when n = 0 then 0 else ln(n) end) over (order by n) as log_factorial
    from number
),

-- As many units as could ever be needed: the load, and three times its spread. Narrow rows, since there are many.
tried as (
    select
        cell_number,
        offered_load,
        service_seconds,
        {{
            each_integer(
                0, 'cast(floor(least(offered_load + 3 * sqrt(offered_load) + 3, ' ~ most_units ~ ')) as integer)'
            )
        }} as units
    from loaded
    where offered_load > 0
),

spread as (
    select
        tried.cell_number,
        tried.offered_load,
        tried.service_seconds,
        factorial.n as units,
        {{ poisson_mass('tried.offered_load', 'factorial.n', 'factorial.log_factorial') }} as mass
    from tried
    inner join factorial on tried.units = factorial.n
),

summed as (
    select
        *,
        coalesce(
            sum(mass) over (
                partition by cell_number
                order by units
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as below
    from spread
),

-- With no more units than load, the queue grows without end.
stable as (
    select
        cell_number,
        units,
        offered_load,
        service_seconds,
        {{ erlang_c('offered_load', 'units', 'mass', 'below') }} as wait_share
    from summed
    where units > offered_load
),

judged as (
    select
        stable.cell_number,
        stable.units,
        stable.wait_share,
        {{ erlang_mean_wait('stable.wait_share', 'stable.offered_load', 'stable.units', 'stable.service_seconds') }}
            as mean_wait_seconds,
        {{
            erlang_longer_than(
                'stable.wait_share', 'stable.offered_load', 'stable.units', 'stable.service_seconds',
                'parameter.wait_limit_seconds'
            )
        }} as longer_share,
        parameter.wait_limit_seconds,
        parameter.wait_longer_share
    from stable
    cross join parameter
),

needed as (
    select
        *,
        longer_share <= wait_longer_share
        and row_number() over (
            partition by cell_number, longer_share <= wait_longer_share
            order by units
        ) = 1 as is_units_needed
    from judged
),

counted as (
    select
        loaded.*,
        needed.units,
        needed.wait_share,
        needed.mean_wait_seconds,
        needed.wait_limit_seconds,
        needed.wait_longer_share,
        needed.longer_share,
        needed.is_units_needed
    from needed
    inner join loaded on needed.cell_number = loaded.cell_number
),

final as (
    select
        {{ metric_columns() }},
        coalesce(counted.hour_of_week, 'none') as hour_of_week,
        coalesce(counted.units, 0) as units_on_duty,
        {{ available_count('hours_observed') }},
        {{ available_count('response_count') }},
        {{ available_count('known_count') }},
        {{ available_count('officer_known_count') }},
        round(counted.arrival_rate, 6) as responses_an_hour,
        round(counted.service_seconds, 3) as mean_task_seconds,
        round(counted.offered_load, 6) as offered_load,
        round(counted.wait_share, 6) as wait_share,
        round(counted.mean_wait_seconds, 3) as mean_wait_seconds,
        counted.wait_limit_seconds as wait_limit,
        counted.wait_longer_share as wait_limit_target,
        round(counted.longer_share, 6) as longer_than_limit_share,
        counted.is_units_needed
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
