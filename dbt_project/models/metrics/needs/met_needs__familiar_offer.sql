-- Grain: one row per agency, month and kind of service ('any': all kinds). Reads twelve months. Rebuilt whole.
{{ config(materialized='table') }}
{%- set slices = ['service_kind'] %}
{%- set least_contacts = 4 %}
with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'ND4'
),

contact as (
    select * from {{ ref('fct_contact') }}
),

outcome as (
    select * from {{ ref('int_referral_outcome') }}
),

referral as (
    select * from {{ ref('fct_referral') }}
),

record as (
    select * from {{ ref('bridge_care_person_record') }}
    where
        role_code = 'subject'
        and care_person_key is not null
),

cohort as (
    select
        agency_id,
        month,
        {{ month_number('month') }} as month_number
    from metric_row
    where
        month <> 'unknown'
        and availability_code = 'available'
),

-- Adults met as the person in crisis, by month; who was caller, victim, witness or family does not count.
met as (
    select
        contact.agency_id,
        record.care_person_key,
        {{ month_number('contact.month') }} as month_number,
        count(*) as contact_count
    from contact
    inner join record
        on
            record.entity = 'contact'
            and contact.contact_id = record.record_id
    where
        contact.month <> 'unknown'
        and coalesce(contact.person_role_code not in ('caller', 'victim', 'witness', 'family'), true)
        and {{ age_band('contact.age_band_code', 'contact.age_years') }} not in ('0-11', '12-17')
    group by contact.agency_id, record.care_person_key, {{ month_number('contact.month') }}
),

-- Who has too few contacts in all has too few in any twelve months.
often_met as (
    select
        agency_id,
        care_person_key
    from met
    group by agency_id, care_person_key
    having sum(contact_count) >= {{ least_contacts }}
),

familiar as (
    select
        cohort.agency_id,
        cohort.month,
        cohort.month_number,
        met.care_person_key
    from met
    inner join often_met
        on
            met.agency_id = often_met.agency_id
            and met.care_person_key = often_met.care_person_key
    inner join cohort
        on
            met.agency_id = cohort.agency_id
            and met.month_number between cohort.month_number - 11 and cohort.month_number
    group by cohort.agency_id, cohort.month, cohort.month_number, met.care_person_key
    having sum(met.contact_count) >= {{ least_contacts }}
),

-- No record of substance use treatment stands here, not even as a count.
offer as (
    select
        record.care_person_key,
        {{ slice_value('referral.referral_type_code') }} as service_kind,
        {{ month_number('referral.month') }} as month_number,
        outcome.accepted = 'yes' as is_accepted,
        outcome.kept_day is not null as is_reached,
        outcome.kept_day is null and coalesce(outcome.followed_days < 30, false) as is_waiting
    from outcome
    inner join referral on outcome.referral_id = referral.referral_id
    inner join record
        on
            record.entity = 'referral'
            and outcome.referral_id = record.record_id
    where
        outcome.offered = 'yes'
        and referral.month <> 'unknown'
        and coalesce(referral.referral_type_code <> 'sud_treatment', true)
        and coalesce(referral.part2_protected <> 'yes', true)
),

familiar_offer as (
    select
        familiar.agency_id,
        familiar.month,
        familiar.care_person_key,
        offer.service_kind,
        offer.is_accepted,
        offer.is_reached,
        offer.is_waiting
    from familiar
    inner join offer
        on
            familiar.care_person_key = offer.care_person_key
            and offer.month_number between familiar.month_number - 11 and familiar.month_number
),

-- One row a person and kind of service, and one over all kinds.
person_offer as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        count(case when is_accepted then 1 end) > 0 as has_accepted,
        count(case when is_reached then 1 end) > 0 as is_reached,
        count(case when is_waiting then 1 end) > 0 as is_waiting
    from familiar_offer
    group by {{ sliced_by(['agency_id', 'month', 'care_person_key'], slices) }}
),

person as (
    select
        agency_id,
        month,
        count(*) as familiar_person_count
    from familiar
    group by agency_id, month
),

offered as (
    select
        agency_id,
        month,
        case when slice_code = 'all' then 'any' else slice_value end as service_code,
        count(*) as offered_person_count,
        count(case when has_accepted then 1 end) as accepted_person_count,
        count(case when is_reached then 1 end) as reached_person_count,
        count(case when is_waiting and not is_reached then 1 end) as waiting_person_count,
        count(case when not is_reached and not is_waiting then 1 end) as not_reached_person_count
    from person_offer
    group by agency_id, month, case when slice_code = 'all' then 'any' else slice_value end
),

counted as (
    select
        person.agency_id,
        person.month,
        coalesce(offered.service_code, 'any') as service_code,
        person.familiar_person_count,
        {%- for name in ['offered', 'accepted', 'reached', 'waiting', 'not_reached'] %}
        coalesce(offered.{{ name }}_person_count, 0) as {{ name }}_person_count,
        {%- endfor %}
        person.familiar_person_count - coalesce(offered.offered_person_count, 0) as not_offered_person_count,
        {{ share(
            'offered.not_reached_person_count', '(offered.reached_person_count + offered.not_reached_person_count)'
        ) }} as not_reached_share
    from person
    left join offered
        on
            person.agency_id = offered.agency_id
            and person.month = offered.month
),

final as (
    select
        {{ metric_columns('person') }},
        coalesce(counted.service_code, 'any') as service_code,
        {{ available_count('familiar_person_count') }},
        {{ available_count('not_offered_person_count') }},
        {{ available_count('offered_person_count') }},
        {{ available_count('accepted_person_count') }},
        {{ available_count('reached_person_count') }},
        {{ available_count('waiting_person_count') }},
        {{ available_count('not_reached_person_count') }},
        {{ available_value('not_reached_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
