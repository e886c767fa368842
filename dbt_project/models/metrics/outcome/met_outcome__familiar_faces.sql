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

-- A month's events of a person; a row without a person for those not linked. own_count: those that are not left out.
by_month as (
    select
        metric_id,
        agency_id,
        month,
        person_key,
        {{ month_number('month') }} as month_number,
        count(*) as event_count,
        count(case when not is_left_out then 1 end) as own_count
    from event
    where month <> 'unknown'
    group by metric_id, agency_id, month, person_key
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

month_total as (
    select
        metric_id,
        agency_id,
        month_number,
        sum(event_count) as event_count,
        sum(own_count) as own_count,
        sum(case when person_key is null then own_count else 0 end) as not_linked_count
    from by_month
    group by metric_id, agency_id, month_number
),

twelve_months as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.metric_id,
        cast(sum(month_total.event_count) as bigint) as considered_count,
        cast(sum(month_total.event_count - month_total.own_count) as bigint) as left_out_count,
        cast(sum(month_total.not_linked_count) as bigint) as not_linked_count,
        cast(sum(month_total.own_count - month_total.not_linked_count) as bigint) as denominator_count
    from cohort
    inner join month_total
        on
            cohort.agency_id = month_total.agency_id
            and cohort.metric_id = month_total.metric_id
            and month_total.month_number between cohort.month_number - 11 and cohort.month_number
    group by cohort.agency_id, cohort.month, cohort.metric_id
),

-- An event counts its person in the twelve months that begin with its own, less those in which one before it does.
person_month as (
    select
        metric_id,
        agency_id,
        person_key,
        month_number,
        own_count,
        greatest(month_number, coalesce(
            lag(month_number) over (partition by metric_id, agency_id, person_key order by month_number) + 12, 0
        )) as counts_from,
        sum(own_count) over (partition by metric_id, agency_id, person_key) as ever_count
    from by_month
    where
        person_key is not null
        and own_count > 0
),

newly_counted as (
    select
        metric_id,
        agency_id,
        month_number,
        counts_from,
        count(*) as person_count
    from person_month
    group by metric_id, agency_id, month_number, counts_from
),

person as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.metric_id,
        sum(newly_counted.person_count) as person_count
    from cohort
    inner join newly_counted
        on
            cohort.agency_id = newly_counted.agency_id
            and cohort.metric_id = newly_counted.metric_id
            and cohort.month_number between newly_counted.counts_from and newly_counted.month_number + 11
    group by cohort.agency_id, cohort.month, cohort.metric_id
),

-- Who has too few events in all has too few in any twelve months.
often as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.metric_id,
        sum(person_month.own_count) as own_count
    from cohort
    inner join person_month
        on
            cohort.agency_id = person_month.agency_id
            and cohort.metric_id = person_month.metric_id
            and person_month.month_number between cohort.month_number - 11 and cohort.month_number
    where
        person_month.ever_count >= (
            select min(threshold.least_events) from threshold
        )
    group by cohort.agency_id, cohort.month, cohort.metric_id, person_month.person_key
),

familiar as (
    select
        often.agency_id,
        often.month,
        often.metric_id,
        threshold.least_events,
        count(*) as familiar_person_count,
        cast(sum(often.own_count) as bigint) as familiar_event_count
    from often
    inner join threshold
        on
            often.metric_id = threshold.metric_id
            and often.own_count >= threshold.least_events
    group by often.agency_id, often.month, often.metric_id, threshold.least_events
),

summed as (
    select
        twelve_months.*,
        threshold.least_events,
        person.person_count,
        familiar.familiar_person_count,
        coalesce(familiar.familiar_event_count, 0) as familiar_event_count
    from twelve_months
    inner join threshold on twelve_months.metric_id = threshold.metric_id
    left join person
        on
            twelve_months.agency_id = person.agency_id
            and twelve_months.month = person.month
            and twelve_months.metric_id = person.metric_id
    left join familiar
        on
            twelve_months.agency_id = familiar.agency_id
            and twelve_months.month = familiar.month
            and twelve_months.metric_id = familiar.metric_id
            and threshold.least_events = familiar.least_events
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
