-- Grain: one row per day from 2010 through 2034. Rebuilt whole by each run.
{{ config(materialized='table') }}

with day as (
    {{ days('2010-01-01', '2034-12-31') }}
),

numbered as (
    select
        calendar_date,
        cast(extract(year from calendar_date) as integer) as year_number,
        cast(extract(quarter from calendar_date) as integer) as quarter_number,
        cast(extract(month from calendar_date) as integer) as month_number,
        cast(extract(day from calendar_date) as integer) as day_number,
        cast({{ iso_day_of_week('calendar_date') }} as integer) as iso_day_of_week
    from day
),

final as (
    select
        calendar_date,
        {{ month_of('calendar_date') }} as month,
        year_number,
        quarter_number,
        month_number,
        day_number,
        iso_day_of_week,
        case iso_day_of_week
            when 1 then 'Monday'
            when 2 then 'Tuesday'
            when 3 then 'Wednesday'
            when 4 then 'Thursday'
            when 5 then 'Friday'
            when 6 then 'Saturday'
            when 7 then 'Sunday'
        end as day_name,
        iso_day_of_week >= 6 as is_weekend
    from numbered
)

select * from final
