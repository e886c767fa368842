-- Grain: one row per agency, program and hour of the week. Rebuilt whole by each run.
{{ config(materialized='table') }}

with program as (
    select * from {{ ref('fct_program') }}
),

hour as (
    select
        n,
        cast(cast(floor(n / 24) as integer) + 1 as varchar) || '_' || lpad(cast(n % 24 as varchar), 2, '0')
            as hour_of_week
    from ({{ integers(0, 167) }}) as number
),

-- By the standard, hours and areas are left empty by a program that works around the clock, or everywhere.
read as (
    select
        *,
        case
            when hours_bitmap is null then 'empty'
            when length(hours_bitmap) = 168 and replace(replace(hours_bitmap, '0', ''), '1', '') = '' then 'as_sent'
            else 'unreadable'
        end as hours_basis_code,
        case when catchment_geoids is null then 'empty' else 'as_sent' end as area_basis_code
    from program
),

final as (
    select
        read.agency_id,
        read.program_id,
        hour.hour_of_week,
        read.program_number,
        read.program_model_code,
        case read.hours_basis_code
            when 'empty' then 'yes'
            when 'as_sent' then case substr(read.hours_bitmap, hour.n + 1, 1) when '1' then 'yes' else 'no' end
            else 'unknown'
        end as program_open,
        read.hours_basis_code,
        read.catchment_geoids,
        read.geography_level_code,
        read.area_basis_code,
        read.start_date,
        read.end_date
    from read
    cross join hour
)

select * from final
