-- Grain: one row per agency, month of enrollment or referral, group, kind of event and window in days. Rebuilt whole.
{{ config(materialized='table') }}
{%- set windows = [30, 90, 180, 365] %}
{%- set sides = ['before', 'after'] %}
{%- set left_out = ['not_linked', 'undated', 'not_first'] %}
{%- set classes = left_out + ['died', 'censored_before', 'censored_after'] %}

with availability as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'M39'
),

enrollment as (
    select * from {{ ref('fct_program_enrollment') }}
),

referral as (
    select * from {{ ref('fct_referral') }}
),

record as (
    select
        entity,
        record_id,
        care_person_key
    from {{ ref('bridge_care_person_record') }}
    where
        role_code = 'subject'
        and entity in ('program_enrollment', 'referral', 'death')
),

death as (
    select * from {{ ref('stg_death') }}
),

told_group as (
    select 'enrolled' as group_code
    union all
    select 'referred_not_enrolled' as group_code
),

told_kind as (
    select 'contact' as event_kind_code
    union all
    select 'booking' as event_kind_code
    union all
    select 'ed_visit' as event_kind_code
),

window_length as (
    {{ numbers_listed(windows, 'window_days') }}
),

enrolled as (
    select
        'enrolled' as group_code,
        enrollment.agency_id,
        enrollment.month,
        enrollment.program_enrollment_id as record_id,
        enrollment.enrolled_at as index_at,
        coalesce(enrollment.contact_id, referral.contact_id) as contact_id,
        referral.incident_id,
        record.care_person_key
    from enrollment
    left join referral
        on
            enrollment.agency_id = referral.agency_id
            and enrollment.referral_id = referral.referral_id
    left join record
        on
            record.entity = 'program_enrollment'
            and enrollment.program_enrollment_id = record.record_id
),

-- The comparison: people whom somebody referred to the same agency, and who never enrolled there.
referred as (
    select
        'referred_not_enrolled' as group_code,
        referral.agency_id,
        referral.month,
        referral.referral_id as record_id,
        referral.referred_at as index_at,
        referral.contact_id,
        referral.incident_id,
        record.care_person_key
    from referral
    left join record
        on
            record.entity = 'referral'
            and referral.referral_id = record.record_id
    left join enrolled
        on
            referral.agency_id = enrolled.agency_id
            and record.care_person_key = enrolled.care_person_key
    where enrolled.record_id is null
),

entered as (
    select * from enrolled
    union all
    select * from referred
),

died as (
    select
        record.care_person_key,
        min(cast(death.death_date as timestamptz)) as died_at
    from death
    inner join record
        on
            record.entity = 'death'
            and death.death_id = record.record_id
    where record.care_person_key is not null
    group by record.care_person_key
),

-- A person counts once: at the first enrollment, or else the first referral, at the agency.
numbered as (
    select
        entered.*,
        died.died_at,
        row_number() over (
            partition by entered.group_code, entered.agency_id, entered.care_person_key
            order by entered.index_at, entered.record_id
        ) as entry_number
    from entered
    left join died on entered.care_person_key = died.care_person_key
),

cohort as (
    select
        *,
        case
            when care_person_key is null then 'not_linked'
            when index_at is null then 'undated'
            when entry_number > 1 then 'not_first'
        end as left_out_code
    from numbered
),

-- What happened to people who entered; what happened to others is of no use here.
event as (
    select
        care_person_key,
        event_kind_code,
        agency_id,
        record_id,
        incident_id,
        contact_id,
        started_at,
        ended_at
    from {{ ref('fct_care_event') }}
    where
        care_person_key in (
            select cohort.care_person_key from cohort
        )
),

-- Forms of one call are one contact.
encounter as (
    select
        care_person_key,
        event_kind_code,
        coalesce(case when event_kind_code = 'contact' then incident_id end, record_id) as encounter_id,
        min(agency_id) as agency_id,
        min(contact_id) as contact_id,
        min(incident_id) as incident_id,
        min(started_at) as started_at
    from event
    where event_kind_code in ('contact', 'booking', 'ed_visit')
    group by all
),

span as (
    select
        agency_id,
        event_kind_code,
        min(started_at) as first_at,
        max(started_at) as last_at
    from {{ ref('int_person_event') }}
    where started_at is not null
    group by agency_id, event_kind_code
),

sender as (
    select distinct
        cohort.agency_id,
        encounter.event_kind_code,
        encounter.agency_id as sender_id
    from cohort
    inner join encounter on cohort.care_person_key = encounter.care_person_key
),

-- Records of a kind are whole while every agency that tells of these people sends them.
observed as (
    select
        sender.agency_id,
        sender.event_kind_code,
        max(span.first_at) as first_at,
        min(span.last_at) as last_at
    from sender
    inner join span
        on
            sender.sender_id = span.agency_id
            and sender.event_kind_code = span.event_kind_code
    group by sender.agency_id, sender.event_kind_code
),

metric_row as (
    select
        availability.agency_id,
        availability.month,
        availability.metric_id,
        availability.identification_method_code,
        told_kind.event_kind_code,
        case when observed.agency_id is null then 'not_available' else availability.availability_code end
            as availability_code,
        case
            when availability.availability_code = 'available' and observed.agency_id is null
                then 'No record of this kind is linked to any of these people.'
            else availability.availability_reason
        end as availability_reason
    from availability
    cross join told_kind
    left join observed
        on
            availability.agency_id = observed.agency_id
            and told_kind.event_kind_code = observed.event_kind_code
),

classed as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.group_code,
        cohort.care_person_key,
        cohort.contact_id,
        cohort.incident_id,
        cohort.index_at,
        observed.event_kind_code,
        window_length.window_days,
        cohort.index_at - {{ hours('window_days * 24') }} as begins_at,
        cohort.index_at + {{ hours('window_days * 24') }} as ends_at,
        case
            when cohort.died_at < cohort.index_at + {{ hours('window_days * 24') }} then 'died'
            when observed.first_at > cohort.index_at - {{ hours('window_days * 24') }} then 'censored_before'
            when observed.last_at < cohort.index_at + {{ hours('window_days * 24') }} then 'censored_after'
            else 'observed'
        end as class_code
    from cohort
    inner join observed on cohort.agency_id = observed.agency_id
    cross join window_length
    where cohort.left_out_code is null
),

-- Who is left out is so for each kind of event and window.
left_out as (
    select
        agency_id,
        month,
        group_code,
        left_out_code,
        count(*) as entry_count
    from cohort
    where left_out_code is not null
    group by agency_id, month, group_code, left_out_code
),

tally as (
    select
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        class_code,
        count(*) as entry_count
    from classed
    group by agency_id, month, group_code, event_kind_code, window_days, class_code
    union all
    select
        left_out.agency_id,
        left_out.month,
        left_out.group_code,
        observed.event_kind_code,
        window_length.window_days,
        left_out.left_out_code as class_code,
        left_out.entry_count
    from left_out
    inner join observed on left_out.agency_id = observed.agency_id
    cross join window_length
),

placed as (
    select
        classed.agency_id,
        classed.month,
        classed.group_code,
        classed.event_kind_code,
        classed.window_days,
        count(case when encounter.started_at <= classed.index_at then 1 end) as before_events,
        count(case when encounter.started_at > classed.index_at then 1 end) as after_events,
        count(case
            when
                encounter.started_at <= classed.index_at
                and (encounter.contact_id = classed.contact_id or encounter.incident_id = classed.incident_id)
                then 1
        end) as leading_events
    from classed
    inner join encounter
        on
            classed.care_person_key = encounter.care_person_key
            and classed.event_kind_code = encounter.event_kind_code
            and classed.begins_at <= encounter.started_at
            and classed.ends_at >= encounter.started_at
    where classed.class_code = 'observed'
    group by all
),

-- Not at liberty: in jail, held, or in a hospital bed. A booking without a release is taken to last.
stay as (
    select
        care_person_key,
        started_at,
        case
            when ended_at >= started_at then ended_at
            when event_kind_code = 'booking' then timestamptz '9999-01-01 00:00:00+00'
            else started_at
        end as ended_at
    from event
    where event_kind_code in ('booking', 'hold', 'inpatient_stay')
),

{{ merged_stays('away', 'care_person_key') }},

absent as (
    select
        {%- for side in sides %}
        {%- set begin, end = ('begins_at', 'index_at') if side == 'before' else ('index_at', 'ends_at') %}
        {%- set from_at = 'greatest(away.started_at, classed.' ~ begin ~ ')' %}
        {%- set to_at = 'least(away.ended_at, classed.' ~ end ~ ')' %}
        sum(greatest(0, {{ seconds_between(from_at, to_at) }})) as {{ side }}_away_seconds,
        {%- endfor %}
        classed.agency_id,
        classed.month,
        classed.group_code,
        classed.event_kind_code,
        classed.window_days
    from classed
    inner join away
        on
            classed.care_person_key = away.care_person_key
            and classed.begins_at < away.ended_at
            and classed.ends_at > away.started_at
    where classed.class_code = 'observed'
    group by all
),

counted_class as (
    select
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        sum(entry_count) as considered_count,
        {%- for class in classes %}
        sum(case when class_code = '{{ class }}' then entry_count else 0 end) as {{ class }}_count,
        {%- endfor %}
        cast(sum(case when class_code = 'observed' then entry_count else 0 end) as bigint) as denominator_count
    from tally
    group by agency_id, month, group_code, event_kind_code, window_days
),

summed as (
    select
        {%- for side in sides %}
        coalesce(placed.{{ side }}_events, 0) as {{ side }}_events,
        round(
            counted_class.denominator_count * counted_class.window_days
            - coalesce(absent.{{ side }}_away_seconds, 0) / 86400.0, 2
        ) as {{ side }}_at_liberty_days,
        {%- endfor %}
        counted_class.*,
        coalesce(placed.leading_events, 0) as leading_events
    from counted_class
    left join placed
        on
            counted_class.agency_id = placed.agency_id
            and counted_class.month = placed.month
            and counted_class.group_code = placed.group_code
            and counted_class.event_kind_code = placed.event_kind_code
            and counted_class.window_days = placed.window_days
    left join absent
        on
            counted_class.agency_id = absent.agency_id
            and counted_class.month = absent.month
            and counted_class.group_code = absent.group_code
            and counted_class.event_kind_code = absent.event_kind_code
            and counted_class.window_days = absent.window_days
),

-- Before and after is told of both groups or of none.
compared as (
    select
        *,
        min(denominator_count) over (partition by agency_id, month, event_kind_code, window_days) > 0
        and count(*) over (partition by agency_id, month, event_kind_code, window_days) = 2 as is_compared
    from summed
),

counted as (
    select
        {%- for column in [
            'leading_events', 'before_events', 'after_events', 'before_at_liberty_days', 'after_at_liberty_days'
        ] %}
        case when is_compared then {{ column }} end as {{ column }},
        {%- endfor %}
        {%- for side in sides %}
        case
            when is_compared and {{ side }}_at_liberty_days > 0
                then round({{ side }}_events * 100.0 / {{ side }}_at_liberty_days, 6)
        end as {{ side }}_events_per_100_days,
        {%- endfor %}
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        considered_count,
        {%- for class in classes %}
        {{ class }}_count,
        {%- endfor %}
        denominator_count
    from compared
),

final as (
    select
        {{ metric_columns('person') }},
        told_group.group_code,
        metric_row.event_kind_code,
        window_length.window_days,
        {{ available_count('considered_count') }},
        {{ available_count('not_linked_count') }},
        {{ available_count('undated_count') }},
        {{ available_count('not_first_count') }},
        {{ available_count('died_count') }},
        {{ available_count('censored_before_count') }},
        {{ available_count('censored_after_count') }},
        {{ available_count('denominator_count') }},
        {{ available_value('leading_events') }},
        {{ available_value('before_events') }},
        {{ available_value('after_events') }},
        {{ available_value('before_at_liberty_days') }},
        {{ available_value('after_at_liberty_days') }},
        {{ available_value('before_events_per_100_days') }},
        {{ available_value('after_events_per_100_days') }}
    from metric_row
    cross join told_group
    cross join window_length
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.event_kind_code = counted.event_kind_code
            and told_group.group_code = counted.group_code
            and window_length.window_days = counted.window_days
)

select * from final
