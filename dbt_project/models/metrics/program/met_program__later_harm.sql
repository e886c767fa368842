-- Grain: one row per agency, month of the index contact, group of responses, outcome and window in days. Rebuilt whole.
{{ config(materialized='table') }}
{%- set outcomes = ['arrested', 'held', 'force', 'injured', 'died', 'any'] %}
{%- set ends = outcomes + ['last'] %}
{%- set longest_seconds = 30 * 86400 %}
with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'PG6'
),

contact as (
    select * from {{ ref('fct_contact') }}
),

answer as (
    select * from {{ ref('int_contact_answer_ever') }}
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

response_group as (
    select 'no_police' as response_group_code
    union all
    select 'team_with_police' as response_group_code
    union all
    select 'police_only' as response_group_code
),

outcome as (
    {%- for name in outcomes %}
    select '{{ name }}' as outcome_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

window_length as (
    {{ numbers_listed([7, 30], 'window_days') }}
),

-- Asked only of calls at which a team without police wrote a form.
police_there as (
    select unit_response.incident_id
    from {{ ref('fct_unit_response') }} as unit_response
    where
        unit_response.incident_id in (
            select contact.linked_incident_id
            from contact
            where contact.response_model_code in ('mobile_crisis', 'alternative_no_police')
        )
    group by unit_response.incident_id
    having
        count(case when unit_response.on_scene_at is not null and {{ is_police('unit_response') }} then 1 end) > 0
),

-- Every contact of the three groups, with its person where one is known.
met as (
    select
        contact.agency_id,
        contact.month,
        contact.contact_id,
        case
            when contact.response_model_code in ('police_only', 'cit_police') then 'police_only'
            when
                contact.response_model_code in ('mobile_crisis', 'alternative_no_police')
                and police_there.incident_id is null
                then 'no_police'
            when contact.response_model_code in ({{ quoted(team_models()) }}) then 'team_with_police'
        end as response_group_code,
        event.person_key,
        event.started_at,
        coalesce(event.incident_id, contact.contact_id) as encounter_id,
        coalesce(contact.person_role_code in ('caller', 'victim', 'witness', 'family'), false) as is_other_role,
        contact.enforcement_code in ('booked', 'arrested_unspecified')
        or contact.legal_hold_code = 'involuntary' as is_taken
    from contact
    left join event
        on
            event.event_kind_code = 'contact'
            and contact.contact_id = event.record_id
    left join police_there on contact.linked_incident_id = police_there.incident_id
),

-- Forms of one call are one encounter; its first form stands for it.
encounter as (
    select * from (
        select
            *,
            row_number() over (partition by person_key, encounter_id order by started_at, contact_id) as form_number
        from met
        where
            person_key is not null
            and not is_other_role
            and not is_taken
            and response_group_code is not null
    ) as numbered
    where form_number = 1
),

harmful_answer as (
    select
        contact_id,
        arrested = 'yes' as is_arrested,
        involuntary_hold = 'yes' as is_held,
        any_force = 'yes' as is_force,
        any_injury = 'yes' as is_injured
    from answer
    where
        arrested = 'yes'
        or involuntary_hold = 'yes'
        or any_force = 'yes'
        or any_injury = 'yes'
),

harm as (
    select
        event.person_key,
        event.started_at,
        coalesce(event.incident_id, event.record_id) as encounter_id,
        harmful_answer.is_arrested,
        harmful_answer.is_held,
        harmful_answer.is_force,
        harmful_answer.is_injured
    from event
    inner join harmful_answer on event.record_id = harmful_answer.contact_id
    where event.event_kind_code = 'contact'
    union all
    select
        person_key,
        started_at,
        coalesce(incident_id, record_id) as encounter_id,
        true as is_arrested,
        false as is_held,
        false as is_force,
        false as is_injured
    from event
    where event_kind_code = 'booking'
),

first_harm as (
    select
        {%- for name in outcomes[:4] %}
        min(case when harm.is_{{ name }} then harm.started_at end) as {{ name }}_at,
        {%- endfor %}
        encounter.contact_id
    from encounter
    inner join harm
        on
            encounter.person_key = harm.person_key
            and encounter.started_at < harm.started_at
            and encounter.encounter_id <> harm.encounter_id
    group by encounter.contact_id
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

dead as (
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
        {%- for name in outcomes[:4] %}
        first_harm.{{ name }}_at,
        {%- endfor %}
        dead.died_at,
        least(
            {%- for name in outcomes[:4] %}
            first_harm.{{ name }}_at,
            {%- endfor %}
            dead.died_at
        ) as any_at,
        last_known.last_at
    from encounter
    inner join last_known on encounter.agency_id = last_known.agency_id
    left join first_harm on encounter.contact_id = first_harm.contact_id
    left join dead on encounter.person_key = dead.person_key
),

jailed as (
    select
        {%- for end in ends %}
        {%- set from_at = 'greatest(jail.started_at, followed.started_at)' %}
        {%- set to_at = 'least(jail.ended_at, followed.' ~ end ~ '_at)' %}
        sum(case
            when followed.{{ end }}_at is not null then greatest(0, {{ seconds_between(from_at, to_at) }})
        end) as jail_to_{{ end }}_seconds,
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
        {%- for end in ends %}
        {{ seconds_between('followed.started_at', 'followed.' ~ end ~ '_at') }}
        - coalesce(jailed.jail_to_{{ end }}_seconds, 0) as {{ end }}_seconds,
        {%- endfor %}
        followed.contact_id
    from followed
    left join jailed on followed.contact_id = jailed.contact_id
),

-- Contacts of which the same is told are one row: what comes after the longest window tells no more than that.
alike as (
    select
        met.agency_id,
        met.month,
        met.response_group_code,
        case
            when met.is_other_role then 'other_role'
            when met.is_taken then 'taken'
            when met.person_key is null then 'not_linked'
            when at_liberty.contact_id is null then 'same_call'
        end as left_out_code,
        {%- for name in outcomes %}
        case when at_liberty.{{ name }}_seconds <= {{ longest_seconds }} then at_liberty.{{ name }}_seconds end
            as {{ name }}_seconds,
        {%- endfor %}
        least(at_liberty.last_seconds, {{ longest_seconds }}) as last_seconds,
        count(*) as contact_count
    from met
    left join at_liberty on met.contact_id = at_liberty.contact_id
    where met.response_group_code is not null
    group by all
),

-- One row for each outcome: after how long at liberty, if at all.
asked as (
    select
        alike.agency_id,
        alike.month,
        alike.response_group_code,
        outcome.outcome_code,
        alike.left_out_code,
        alike.contact_count,
        alike.last_seconds,
        case when outcome.outcome_code not in ('died', 'any') then alike.died_seconds end as died_seconds,
        case outcome.outcome_code
            {%- for name in outcomes %}
            when '{{ name }}' then alike.{{ name }}_seconds
            {%- endfor %}
        end as outcome_seconds
    from alike
    cross join outcome
),

classed as (
    select
        asked.agency_id,
        asked.month,
        asked.response_group_code,
        asked.outcome_code,
        asked.contact_count,
        window_length.window_days,
        case
            when asked.left_out_code is not null then asked.left_out_code
            when
                asked.died_seconds < least(asked.last_seconds, window_length.window_days * 86400)
                and coalesce(asked.outcome_seconds > asked.died_seconds, true)
                then 'died'
            when asked.last_seconds < window_length.window_days * 86400 then 'censored'
            when asked.outcome_seconds <= window_length.window_days * 86400 then 'harm'
            else 'none'
        end as class_code
    from asked
    cross join window_length
),

summed as (
    select
        agency_id,
        month,
        response_group_code,
        outcome_code,
        window_days,
        sum(contact_count) as considered_count,
        {%- for class in ['other_role', 'taken', 'not_linked', 'same_call', 'died', 'censored'] %}
        sum(case when class_code = '{{ class }}' then contact_count else 0 end) as {{ class }}_count,
        {%- endfor %}
        sum(case when class_code in ('harm', 'none') then contact_count else 0 end) as denominator_count,
        sum(case when class_code = 'harm' then contact_count else 0 end) as outcome_count
    from classed
    group by agency_id, month, response_group_code, outcome_code, window_days
),

counted as (
    select
        *,
        {{ share('outcome_count', 'denominator_count') }} as outcome_share
    from summed
),

final as (
    select
        {{ metric_columns('contact') }},
        response_group.response_group_code,
        outcome.outcome_code,
        window_length.window_days,
        {%- for class in ['considered', 'other_role', 'taken', 'not_linked', 'same_call', 'died', 'censored'] %}
        {{ available_count(class ~ '_count') }},
        {%- endfor %}
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }}
    from metric_row
    cross join response_group
    cross join outcome
    cross join window_length
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and response_group.response_group_code = counted.response_group_code
            and outcome.outcome_code = counted.outcome_code
            and window_length.window_days = counted.window_days
)

select * from final
