-- Grain: one row per referral: whether a first service was kept, after how many days, and how long it was followed.
with referral as (
    select * from {{ ref('fct_referral') }}
),

service as (
    select * from {{ ref('fct_service_linkage') }}
    where kept = 'yes'
),

record as (
    select * from {{ ref('bridge_care_person_record') }}
    where
        role_code = 'subject'
        and care_person_key is not null
),

death as (
    select * from {{ ref('stg_death') }}
),

died as (
    select
        record.care_person_key,
        min(death.death_date) as death_date
    from death
    inner join record
        on
            record.entity = 'death'
            and death.death_id = record.record_id
    group by record.care_person_key
),

-- What the sender knew last: a referral without its own date is followed as long as the others of its agency.
known as (
    select
        agency_id,
        max(as_of_date) as last_as_of_date
    from referral
    group by agency_id
),

dated as (
    select
        referral.*,
        coalesce(referral.as_of_date, known.last_as_of_date) as followed_until_date,
        died.death_date
    from referral
    left join known on referral.agency_id = known.agency_id
    left join record
        on
            record.entity = 'referral'
            and referral.referral_id = record.record_id
    left join died on record.care_person_key = died.care_person_key
),

-- Services of the referral, in days from it. A day that has begun counts whole.
kept as (
    select
        referral.referral_id,
        count(case when {{ seconds_between('referral.referred_at', 'service.service_at') }} <= 30 * 86400 then 1 end)
            as services_30_days,
        count(case when {{ seconds_between('referral.referred_at', 'service.service_at') }} <= 90 * 86400 then 1 end)
            as services_90_days
    from referral
    inner join service on referral.referral_id = service.referral_id
    where {{ seconds_between('referral.referred_at', 'service.service_at') }} >= 0
    group by referral.referral_id
),

final as (
    select
        dated.agency_id,
        dated.referral_id,
        dated.month,
        dated.contact_id,
        dated.incident_id,
        case when dated.offered in ('yes', 'no') then dated.offered else 'unknown' end as offered,
        case when dated.accepted in ('yes', 'no') then dated.accepted else 'unknown' end as accepted,
        dated.referral_status_code,
        -- Kept, but when is not told: that tells no window either.
        dated.first_kept_at is null
        and dated.referral_status_code in ('closed_unknown', 'unknown', 'not_recorded', 'kept') as is_outcome_unknown,
        cast(ceil({{ seconds_between('dated.referred_at', 'dated.first_kept_at') }} / 86400.0) as integer) as kept_day,
        cast(floor(
            {{ seconds_between(
                'cast(dated.referred_local_at as timestamp)', 'cast(dated.followed_until_date as timestamp)'
            ) }} / 86400.0
        ) as integer) as followed_days,
        cast(ceil(
            {{ seconds_between('cast(dated.referred_local_at as timestamp)', 'cast(dated.death_date as timestamp)') }}
            / 86400.0
        ) as integer) as death_day,
        coalesce(kept.services_30_days, 0) as services_30_days,
        coalesce(kept.services_90_days, 0) as services_90_days
    from dated
    left join kept on dated.referral_id = kept.referral_id
    where dated.referred_at is not null
)

select * from final
