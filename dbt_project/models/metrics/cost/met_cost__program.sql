-- Grain: one row per agency, program and month of its run up to the last contact. Rebuilt whole by each run.
{{ config(materialized='table') }}

with program as (
    select * from {{ ref('fct_program') }}
    where start_date is not null
),

contact as (
    select * from {{ ref('fct_contact') }}
    where month <> 'unknown'
),

choice as (
    select
        max(case when choice_code = 'price_year' then cast(value as integer) end) as price_year,
        max(case when choice_code = 'amortization_years' then cast(value as integer) end) as amortization_years
    from {{ ref('cost_choice') }}
),

price_index as (
    select * from {{ ref('price_index') }}
    where series = 'cpi_u'
),

agency as (
    select * from {{ ref('dim_agency') }}
),

payer as (
    select * from {{ ref('cost_payer') }}
),

last_month as (
    select
        agency_id,
        max(month) as month
    from contact
    group by agency_id
),

served as (
    select
        agency_id,
        program_id,
        month,
        count(*) as contact_count
    from contact
    where program_id is not null
    group by agency_id, program_id, month
),

program_month as (
    select
        program.agency_id,
        program.program_id,
        calendar.month,
        count(*) as day_count
    from program
    inner join last_month on program.agency_id = last_month.agency_id
    inner join {{ ref('dim_date') }} as calendar
        on
            program.start_date <= calendar.calendar_date
            and last_month.month >= calendar.month
            and coalesce(program.end_date >= calendar.calendar_date, true)
    group by program.agency_id, program.program_id, calendar.month
),

counted as (
    select
        *,
        sum(day_count) over (partition by agency_id, program_id order by month) as days_so_far,
        row_number() over (partition by agency_id, program_id order by month) as months_so_far
    from program_month
),

-- Parts of a sum are differences of what it came to, so that they add up to it to the cent.
so_far as (
    select
        counted.agency_id,
        counted.program_id,
        counted.month,
        counted.day_count,
        counted.months_so_far,
        program.program_number,
        program.program_model_code,
        program.budget_year,
        program.start_up_cost_usd,
        choice.price_year,
        choice.amortization_years,
        budget_index.value as budget_index_value,
        start_index.value as start_index_value,
        chosen_index.value as chosen_index_value,
        cast(floor(program.annual_budget_usd * 100 * counted.days_so_far / 365) / 100 as decimal(18, 2))
            as budget_so_far_usd,
        cast(
            floor(
                program.start_up_cost_usd * 100 * least(counted.months_so_far, choice.amortization_years * 12)
                / (choice.amortization_years * 12)
            ) / 100 as decimal(18, 2)
        ) as start_up_so_far_usd
    from counted
    inner join program
        on
            counted.agency_id = program.agency_id
            and counted.program_id = program.program_id
    cross join choice
    left join price_index as budget_index on program.budget_year = budget_index.year
    left join price_index as start_index on extract(year from program.start_date) = start_index.year
    left join price_index as chosen_index on choice.price_year = chosen_index.year
),

part as (
    select
        *,
        cast(
            budget_so_far_usd - lag(budget_so_far_usd, 1, 0) over (partition by agency_id, program_id order by month)
            as decimal(18, 2)
        ) as budget_usd,
        cast(
            start_up_so_far_usd
            - lag(start_up_so_far_usd, 1, 0) over (partition by agency_id, program_id order by month)
            as decimal(18, 2)
        ) as start_up_part_usd
    from so_far
),

loaded as (
    select
        *,
        cast(round(budget_usd * chosen_index_value / budget_index_value, 2) as decimal(18, 2)) as budget_then_usd,
        cast(round(start_up_part_usd * chosen_index_value / start_index_value, 2) as decimal(18, 2))
            as start_up_then_usd
    from part
),

final as (
    select
        loaded.agency_id,
        loaded.month,
        loaded.program_id,
        loaded.program_number,
        loaded.program_model_code,
        coalesce(payer.payer_code, 'not_recorded') as payer_code,
        cast(loaded.day_count as integer) as days_run,
        loaded.budget_year,
        loaded.budget_usd,
        cast(loaded.start_up_cost_usd as decimal(18, 2)) as start_up_cost_usd,
        loaded.amortization_years,
        loaded.start_up_part_usd,
        loaded.budget_then_usd as budget_price_year_usd,
        loaded.start_up_then_usd as start_up_part_price_year_usd,
        cast(loaded.budget_then_usd + coalesce(loaded.start_up_then_usd, 0) as decimal(18, 2))
            as fully_loaded_price_year_usd,
        loaded.start_up_cost_usd is not null as is_start_up_known,
        coalesce(served.contact_count, 0) as contact_count,
        case
            when served.contact_count > 0
                then cast(
                    round((loaded.budget_then_usd + coalesce(loaded.start_up_then_usd, 0)) / served.contact_count, 2)
                    as decimal(18, 2)
                )
        end as cost_per_contact_usd,
        'none' as uncertainty_code,
        loaded.price_year,
        'cpi_u' as price_index_series
    from loaded
    inner join agency on loaded.agency_id = agency.agency_id
    left join payer on agency.agency_type_code = payer.agency_type_code
    left join served
        on
            loaded.agency_id = served.agency_id
            and loaded.program_id = served.program_id
            and loaded.month = served.month
)

select * from final
