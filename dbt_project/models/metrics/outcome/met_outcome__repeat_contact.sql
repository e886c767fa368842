-- Grain: one row per agency, month of the index contact, version and window in days at liberty. Rebuilt whole.
{{ config(materialized='table') }}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'M36'
),

contact as (
    select * from {{ ref('fct_contact') }}
),

event as (
    select * from {{ ref('fct_person_event') }}
),

record as (
    select * from {{ ref('bridge_person_record') }}
),

death as (
    select * from {{ ref('stg_death') }}
),

version as (
    select 'all_contacts' as version_code
    union all
    select 'first_index' as version_code
),

window_length as (
    {{ numbers_listed([30, 90, 365], 'window_days') }}
),

-- Every contact, with its person where one is known. Who was victim, caller, witness or family is no repeat.
met as (
    select
        contact.agency_id,
        contact.month,
        contact.contact_id,
        event.person_key,
        event.started_at,
        coalesce(event.incident_id, contact.contact_id) as encounter_id,
        coalesce(contact.person_role_code in ('caller', 'victim', 'witness', 'family'), false) as is_other_role
    from contact
    left join event
        on
            event.event_kind_code = 'contact'
            and contact.contact_id = event.record_id
),

-- Forms of one call are one encounter; its first form stands for it.
numbered as (
    select
        *,
        row_number() over (partition by person_key, encounter_id order by started_at, contact_id) as form_number
    from met
    where
        person_key is not null
        and not is_other_role
),

encounter as (
    select
        *,
        row_number() over (partition by person_key order by started_at, contact_id) as encounter_number,
        lead(started_at) over (partition by person_key order by started_at, contact_id) as next_at
    from numbered
    where form_number = 1
),

-- Time in jail, stays that touch taken as one. One without a release is taken to last.
stay as (
    select
        person_key,
        started_at,
        coalesce(ended_at, timestamptz '9999-01-01 00:00:00+00') as ended_at
    from event
    where is_confined
),

{{ merged_stays('jail', 'person_key') }},

last_known as (
    select
        agency_id,
        max(started_at) as last_at
    from met
    group by agency_id
),

died as (
    select
        record.person_key,
        min(cast(death.death_date as timestamptz)) as died_at
    from death
    inner join record
        on
            record.entity = 'death'
            and record.role_code = 'subject'
            and death.death_id = record.record_id
    where record.person_key is not null
    group by record.person_key
),

followed as (
    select
        encounter.contact_id,
        encounter.person_key,
        encounter.started_at,
        encounter.next_at,
        last_known.last_at,
        died.died_at
    from encounter
    inner join last_known on encounter.agency_id = last_known.agency_id
    left join died on encounter.person_key = died.person_key
),

-- Seconds in jail from the index contact to the next one, to the end of the data, and to death.
jailed as (
    select
        {%- for until in ['next', 'last', 'died'] %}
        {%- set from_at = 'greatest(jail.started_at, followed.started_at)' %}
        {%- set to_at = 'least(jail.ended_at, followed.' ~ until ~ '_at)' %}
        sum(greatest(0, {{ seconds_between(from_at, to_at) }})) as jail_to_{{ until }}_seconds,
        {%- endfor %}
        followed.contact_id
    from followed
    inner join jail
        on
            followed.person_key = jail.person_key
            and followed.started_at < jail.ended_at
    group by followed.contact_id
),

at_liberty as (
    select
        {%- for until in ['next', 'last', 'died'] %}
        {{ seconds_between('followed.started_at', 'followed.' ~ until ~ '_at') }}
        - coalesce(jailed.jail_to_{{ until }}_seconds, 0) as {{ until }}_seconds,
        {%- endfor %}
        followed.contact_id
    from followed
    left join jailed on followed.contact_id = jailed.contact_id
),

-- Contacts that are no index, whatever the version and window.
left_out as (
    select
        met.agency_id,
        met.month,
        case
            when met.is_other_role then 'other_role'
            when met.person_key is null then 'not_linked'
            else 'same_call'
        end as class_code,
        count(*) as contact_count
    from met
    left join encounter on met.contact_id = encounter.contact_id
    where encounter.contact_id is null
    group by all
),

classed as (
    select
        encounter.agency_id,
        encounter.month,
        window_length.window_days,
        encounter.encounter_number > 1 as is_later,
        case
            when
                at_liberty.died_seconds < least(at_liberty.last_seconds, window_length.window_days * 86400)
                and coalesce(at_liberty.next_seconds > at_liberty.died_seconds, true)
                then 'died'
            when at_liberty.last_seconds < window_length.window_days * 86400 then 'censored'
            when at_liberty.next_seconds <= window_length.window_days * 86400 then 'repeat'
            else 'none'
        end as class_code,
        -- At risk: until the next contact, the end of the data, death or the end of the window.
        least(
            at_liberty.last_seconds,
            coalesce(at_liberty.next_seconds, at_liberty.last_seconds),
            coalesce(at_liberty.died_seconds, at_liberty.last_seconds),
            window_length.window_days * 86400
        ) as at_risk_seconds,
        coalesce(
            at_liberty.next_seconds <= least(at_liberty.last_seconds, window_length.window_days * 86400), false
        ) as is_seen_again
    from encounter
    inner join at_liberty on encounter.contact_id = at_liberty.contact_id
    cross join window_length
),

tally as (
    select
        agency_id,
        month,
        window_days,
        is_later,
        class_code,
        count(*) as contact_count,
        count(case when is_seen_again then 1 end) as seen_again_count,
        sum(at_risk_seconds) as at_risk_seconds
    from classed
    group by agency_id, month, window_days, is_later, class_code
    union all
    select
        left_out.agency_id,
        left_out.month,
        window_length.window_days,
        false as is_later,
        left_out.class_code,
        left_out.contact_count,
        0 as seen_again_count,
        0 as at_risk_seconds
    from left_out
    cross join window_length
),

versioned as (
    select
        tally.agency_id,
        tally.month,
        version.version_code,
        tally.window_days,
        case when version.version_code = 'first_index' and tally.is_later then 'not_first' else tally.class_code end
            as class_code,
        tally.contact_count,
        tally.seen_again_count,
        tally.at_risk_seconds
    from tally
    cross join version
),

summed as (
    select
        agency_id,
        month,
        version_code,
        window_days,
        sum(contact_count) as considered_count,
        {%- for class in ['other_role', 'not_linked', 'same_call', 'not_first', 'censored', 'died'] %}
        sum(case when class_code = '{{ class }}' then contact_count else 0 end) as {{ class }}_count,
        {%- endfor %}
        sum(case when class_code in ('repeat', 'none') then contact_count else 0 end) as denominator_count,
        sum(case when class_code = 'repeat' then contact_count else 0 end) as repeat_count,
        cast(sum(case
            when class_code in ('censored', 'died', 'repeat', 'none') then seen_again_count else 0
        end) as bigint) as seen_again_count,
        round(sum(case
            when class_code in ('censored', 'died', 'repeat', 'none') then at_risk_seconds else 0
        end) / 86400.0, 2) as at_liberty_days
    from versioned
    group by agency_id, month, version_code, window_days
),

counted as (
    select
        *,
        {{ share('repeat_count', 'denominator_count') }} as repeat_share,
        case when at_liberty_days > 0 then round(seen_again_count * 100.0 / at_liberty_days, 6) end
            as seen_again_per_100_days
    from summed
),

final as (
    select
        {{ metric_columns('contact') }},
        version.version_code,
        window_length.window_days,
        {{ available_count('considered_count') }},
        {{ available_count('other_role_count') }},
        {{ available_count('not_linked_count') }},
        {{ available_count('same_call_count') }},
        {{ available_count('not_first_count') }},
        {{ available_count('censored_count') }},
        {{ available_count('died_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('repeat_count') }},
        {{ available_count('seen_again_count') }},
        {{ available_value('at_liberty_days') }},
        {{ available_value('repeat_share') }},
        {{ available_value('seen_again_per_100_days') }}
    from metric_row
    cross join version
    cross join window_length
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and version.version_code = counted.version_code
            and window_length.window_days = counted.window_days
)

select * from final
