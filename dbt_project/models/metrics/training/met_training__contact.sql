-- Grain: one row per agency, month, metric, outcome, slice and value; the slice 'all' is the total. Rebuilt whole.
{{ config(materialized='table') }}
{%- set outcomes = training_outcomes() %}
{%- set slices = [
    'training', 'weapon', 'threat', 'suicide_risk', 'crisis_nature', 'contact_reason', 'training_and_weapon'
] %}
with availability as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('TR1', 'TR2', 'TR3')
),

certified as (
    select * from {{ ref('met_staffing__cit_certified') }}
),

contact as (
    select * from {{ ref('fct_contact') }}
),

answer as (
    select * from {{ ref('int_contact_answer_ever') }}
),

outcome as (
    {%- for metric_id, name in outcomes %}
    select
        '{{ metric_id }}' as metric_id,
        '{{ name }}' as outcome_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- Force and injury by training are told of groups of at least 11 officers alone.
metric_row as (
    select
        availability.agency_id,
        availability.month,
        availability.metric_id,
        availability.identification_method_code,
        case
            when availability.metric_id = 'TR1' or certified.certified_count >= 11 then availability.availability_code
            else 'not_available'
        end as availability_code,
        case
            when availability.metric_id = 'TR1' or availability.availability_code = 'not_available'
                then availability.availability_reason
            when certified.availability_code = 'not_available' then certified.availability_reason
            when certified.certified_count >= 11 then ''
            else 'Fewer than 11 officers of the agency hold crisis intervention training.'
        end as availability_reason
    from availability
    left join certified
        on
            availability.agency_id = certified.agency_id
            and availability.month = certified.month
),

told as (
    select
        contact.agency_id,
        contact.month,
        {{ training_at_the_time('contact') }} as training,
        {{ slice_value('contact.weapon_present') }} as weapon,
        {{ slice_value('contact.violence_threat') }} as threat,
        {{ slice_value('contact.suicide_risk_code') }} as suicide_risk,
        case
            when position('|' in contact.crisis_nature_codes) > 0 then 'two_or_more'
            else {{ slice_value('contact.crisis_nature_codes') }}
        end as crisis_nature,
        {{ slice_value('contact.contact_reason_code') }} as contact_reason,
        {{ training_at_the_time('contact') }} || ', weapon ' || {{ slice_value('contact.weapon_present') }}
            as training_and_weapon,
        coalesce(contact.weapon_present = 'yes' or contact.violence_threat = 'yes', false) as is_harder,
        answer.technique_used as any_technique,
        {%- for metric_id, name in outcomes if metric_id == 'TR1' and name != 'any_technique' %}
        case
            when answer.technique_used = 'unknown' then 'unknown'
            when {{ list_holds('contact.technique_codes', name) }} then 'yes'
            else 'no'
        end as {{ name }},
        {%- endfor %}
        answer.any_force,
        answer.any_injury,
        answer.subject_injured,
        answer.officer_injured
    from contact
    inner join answer
        on
            contact.contact_id = answer.contact_id
            and contact.month = answer.month
),

-- One scan: every slice of every outcome.
summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        {%- for metric_id, name in outcomes %}
        count(case when {{ name }} = 'yes' then 1 end) as {{ name }}_yes,
        count(case when {{ name }} = 'no' then 1 end) as {{ name }}_no,
        {%- endfor %}
        count(case when is_harder then 1 end) as harder_count,
        count(*) as considered_count
    from told
    group by {{ sliced_by(['agency_id', 'month'], slices) }}
),

counted_apart as (
    select
        summed.agency_id,
        summed.month,
        outcome.metric_id,
        outcome.outcome_code,
        summed.slice_code,
        summed.slice_value,
        {%- for part in ['yes', 'no'] %}
        case outcome.outcome_code
            {%- for metric_id, name in outcomes %}
            when '{{ name }}' then summed.{{ name }}_{{ part }}
            {%- endfor %}
        end as {{ part }}_count,
        {%- endfor %}
        summed.harder_count,
        summed.considered_count
    from summed
    cross join outcome
),

counted as (
    select
        *,
        yes_count as outcome_count,
        yes_count + no_count as denominator_count,
        considered_count - yes_count - no_count as unknown_count,
        {{ share('yes_count', '(yes_count + no_count)') }} as outcome_share
    from counted_apart
),

-- What is not available says so once an outcome, in its total.
final as (
    select
        {{ metric_columns('contact') }},
        outcome.outcome_code,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('harder_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }}
    from metric_row
    inner join outcome on metric_row.metric_id = outcome.metric_id
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and outcome.outcome_code = counted.outcome_code
)

select * from final
