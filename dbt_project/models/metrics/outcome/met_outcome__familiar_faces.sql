-- Grain: one row per agency, month, metric and least number of events in the twelve months to it. Rebuilt whole.
{{ config(materialized='table') }}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('M37', 'M38')
),

contact as (
    select * from {{ ref('fct_contact') }}
),

jail_booking as (
    select * from {{ ref('fct_jail_booking') }}
),

record as (
    select * from {{ ref('bridge_person_record') }}
    where role_code = 'subject'
),

threshold as (
    select
        'M37' as metric_id,
        4 as least_events
    union all
    select
        'M38' as metric_id,
        4 as least_events
    union all
    select
        'M38' as metric_id,
        10 as least_events
),

-- Adults as persons in crisis alone: no minor, and nobody who was caller, victim, witness or family.
event as (
    select
        'M38' as metric_id,
        contact.agency_id,
        contact.month,
        contact.contact_id as record_id,
        record.person_key,
        coalesce(contact.person_role_code in ('caller', 'victim', 'witness', 'family'), false)
        or {{ age_band('contact.age_band_code', 'contact.age_years') }} in ('0-11', '12-17') as is_left_out
    from contact
    left join record
        on
            record.entity = 'contact'
            and contact.contact_id = record.record_id
    union all
    select
        'M37' as metric_id,
        jail_booking.agency_id,
        jail_booking.month,
        jail_booking.jail_booking_id as record_id,
        record.person_key,
        {{ age_band('jail_booking.age_band_code', 'jail_booking.age_years') }} in ('0-11', '12-17') as is_left_out
    from jail_booking
    left join record
        on
            record.entity = 'jail_booking'
            and jail_booking.jail_booking_id = record.record_id
),

cohort as (
    select
        agency_id,
        month,
        metric_id,
        {{ month_number('month') }} as month_number
    from metric_row
    where month <> 'unknown'
),

-- A person's events in the twelve months; one row without a person for those not linked.
person as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.metric_id,
        event.person_key,
        count(*) as event_count,
        count(case when event.is_left_out then 1 end) as left_out_count
    from cohort
    inner join event
        on
            cohort.agency_id = event.agency_id
            and cohort.metric_id = event.metric_id
            and {{ month_number('event.month') }} between cohort.month_number - 11 and cohort.month_number
    where event.month <> 'unknown'
    group by cohort.agency_id, cohort.month, cohort.metric_id, event.person_key
),

counted_person as (
    select
        *,
        event_count - left_out_count as own_count
    from person
),

summed as (
    select
        counted_person.agency_id,
        counted_person.month,
        counted_person.metric_id,
        threshold.least_events,
        cast(sum(counted_person.event_count) as bigint) as considered_count,
        cast(sum(counted_person.left_out_count) as bigint) as left_out_count,
        cast(sum(case when counted_person.person_key is null then counted_person.own_count else 0 end) as bigint)
            as not_linked_count,
        cast(sum(case when counted_person.person_key is not null then counted_person.own_count else 0 end) as bigint)
            as denominator_count,
        count(case when counted_person.person_key is not null and counted_person.own_count > 0 then 1 end)
            as person_count,
        count(case
            when counted_person.person_key is not null and counted_person.own_count >= threshold.least_events then 1
        end) as familiar_person_count,
        cast(sum(case
            when counted_person.person_key is not null and counted_person.own_count >= threshold.least_events
                then counted_person.own_count
            else 0
        end) as bigint) as familiar_event_count
    from counted_person
    inner join threshold on counted_person.metric_id = threshold.metric_id
    group by counted_person.agency_id, counted_person.month, counted_person.metric_id, threshold.least_events
),

counted as (
    select
        *,
        {{ share('familiar_event_count', 'denominator_count') }} as familiar_event_share
    from summed
),

final as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case metric_row.metric_id when 'M37' then 'booking' else 'contact' end as population_code,
        metric_row.availability_code,
        metric_row.availability_reason,
        threshold.least_events,
        {{ available_count('considered_count') }},
        {{ available_count('left_out_count') }},
        {{ available_count('not_linked_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('person_count') }},
        {{ available_count('familiar_person_count') }},
        {{ available_count('familiar_event_count') }},
        {{ available_value('familiar_event_share') }}
    from metric_row
    inner join threshold on metric_row.metric_id = threshold.metric_id
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
            and threshold.least_events = counted.least_events
)

select * from final
