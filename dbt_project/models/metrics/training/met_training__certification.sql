-- Grain: one row per agency, month and course. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency_month as (
    select * from {{ ref('stg_agency_month') }}
),

sends_expiry as (
    select agency_id
    from {{ ref('stg_agency_field') }}
    where entity = 'training_record' and field in ('course_code', 'completed_date', 'expires_date') and is_mapped
    group by agency_id
    having count(*) = 3
),

training_record as (
    select * from {{ ref('stg_training_record') }}
),

course as (
    select 'cit_40h' as course_code
    union all
    select 'cit_advanced' as course_code
    union all
    select 'deescalation' as course_code
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
        course.course_code,
        'TR5' as metric_id,
        'not_applicable' as identification_method_code,
        case
            when sends_expiry.agency_id is not null and month_end.last_day is not null then 'available'
            else 'not_available'
        end as availability_code,
        case
            when sends_expiry.agency_id is null
                then 'The agency does not send courses with the day of completion and the day on which they run out.'
            when month_end.last_day is null then 'The month is not known.'
            else ''
        end as availability_reason
    from agency_month
    cross join course
    left join sends_expiry on agency_month.agency_id = sends_expiry.agency_id
    left join month_end on agency_month.month = month_end.month
),

-- As of the month's last day; a course completed later, or without a day, is in no count.
counted as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.course_code,
        count(*) as considered_count,
        count(case when training_record.expires_date < metric_row.last_day then 1 end) as expired_count,
        count(case
            when
                training_record.expires_date >= metric_row.last_day
                and {{ seconds_between('metric_row.last_day', 'training_record.expires_date') }} <= 90 * 86400
                then 1
        end) as expiring_count,
        count(case
            when {{ seconds_between('metric_row.last_day', 'training_record.expires_date') }} > 90 * 86400 then 1
        end) as later_count,
        count(case when training_record.expires_date is null then 1 end) as without_expiry_count
    from metric_row
    inner join training_record
        on
            metric_row.agency_id = training_record.agency_id
            and metric_row.course_code = training_record.course_code
            and metric_row.last_day >= training_record.completed_date
    group by metric_row.agency_id, metric_row.month, metric_row.course_code
),

final as (
    select
        {{ metric_columns('certificate') }},
        metric_row.course_code,
        {{ available_count('considered_count') }},
        {{ available_count('expired_count') }},
        {{ available_count('expiring_count') }},
        {{ available_count('later_count') }},
        {{ available_count('without_expiry_count') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.course_code = counted.course_code
)

select * from final
