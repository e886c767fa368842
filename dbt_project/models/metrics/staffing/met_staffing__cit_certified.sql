-- Grain: one row per agency and month. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency_month as (
    select * from {{ ref('stg_agency_month') }}
),

sends_training as (
    select agency_id
    from {{ ref('stg_agency_field') }}
    where entity = 'training_record' and field in ('course_code', 'completed_date') and is_mapped
    group by agency_id
    having count(*) = 2
),

training_record as (
    select * from {{ ref('stg_training_record') }}
    where course_code = 'cit_40h'
),

month_end as (
    select
        month,
        max(calendar_date) as last_day
    from {{ ref('dim_date') }}
    group by month
),

metric_row as (
    select
        agency_month.agency_id,
        agency_month.month,
        month_end.last_day,
        'M13' as metric_id,
        'not_applicable' as identification_method_code,
        case
            when sends_training.agency_id is not null and month_end.last_day is not null then 'available'
            else 'not_available'
        end as availability_code,
        case
            when sends_training.agency_id is null then 'The agency does not send courses with the day of completion.'
            when month_end.last_day is null then 'The month is not known.'
            else ''
        end as availability_reason
    from agency_month
    left join sends_training on agency_month.agency_id = sends_training.agency_id
    left join month_end on agency_month.month = month_end.month
),

-- Valid at the time: completed by the month's last day, and not run out by then.
counted as (
    select
        metric_row.agency_id,
        metric_row.month,
        count(*) as considered_count,
        count(case when training_record.completed_date is null then 1 end) as undated_count,
        count(case when training_record.completed_date > metric_row.last_day then 1 end) as later_count,
        count(
            case
                when
                    training_record.completed_date <= metric_row.last_day
                    and training_record.expires_date < metric_row.last_day
                    then 1
            end
        ) as expired_count,
        count(
            case
                when
                    training_record.completed_date <= metric_row.last_day
                    and coalesce(training_record.expires_date >= metric_row.last_day, true)
                    then 1
            end
        ) as certified_count
    from metric_row
    inner join training_record on metric_row.agency_id = training_record.agency_id
    group by metric_row.agency_id, metric_row.month
),

final as (
    select
        {{ metric_columns('officer') }},
        {{ available_count('considered_count') }},
        {{ available_count('undated_count') }},
        {{ available_count('later_count') }},
        {{ available_count('expired_count') }},
        {{ available_count('certified_count') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
