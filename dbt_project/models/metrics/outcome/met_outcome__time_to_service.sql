-- Grain: one row per agency, month and days after referral. Each reads the referrals of twelve months. Rebuilt whole.
{{ config(materialized='table') }}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'M33'
),

referral as (
    select * from {{ ref('int_referral_outcome') }}
    where accepted = 'yes'
),

day_row as (
    {{ numbers_listed([7, 14, 30, 90], 'days_after') }}
),

-- Months by number, so that twelve of them can be told.
cohort as (
    select distinct
        agency_id,
        month,
        {{ month_number('month') }} as month_number
    from metric_row
    where month <> 'unknown'
),

-- The first service is the event, death before it competes, and who is still waiting is censored.
lived as (
    select
        cohort.agency_id,
        cohort.month,
        referral.is_outcome_unknown,
        case
            when referral.is_outcome_unknown then 'unknown'
            when referral.kept_day <= coalesce(referral.death_day, referral.kept_day) then 'kept'
            when referral.death_day <= referral.followed_days then 'died'
            when referral.followed_days >= 0 then 'censored'
            else 'unknown'
        end as end_code,
        greatest(
            case
                when referral.kept_day <= coalesce(referral.death_day, referral.kept_day) then referral.kept_day
                when referral.death_day <= referral.followed_days then referral.death_day
                else referral.followed_days
            end, 0
        ) as day_number
    from cohort
    inner join referral
        on
            cohort.agency_id = referral.agency_id
            and {{ month_number('referral.month') }} between cohort.month_number - 11 and cohort.month_number
    where referral.month <> 'unknown'
),

by_day as (
    select
        agency_id,
        month,
        day_number,
        count(*) as leaving_count,
        count(case when end_code = 'kept' then 1 end) as kept_count,
        count(case when end_code = 'died' then 1 end) as died_count
    from lived
    where end_code <> 'unknown'
    group by agency_id, month, day_number
),

at_risk as (
    select
        *,
        sum(leaving_count) over (
            partition by agency_id, month order by day_number desc rows between unbounded preceding and current row
        ) as at_risk_count
    from by_day
),

-- Kaplan-Meier: the product of the shares that go on waiting. Its logarithm is summed; all served makes it zero.
factor as (
    select
        *,
        case when kept_count < at_risk_count then ln(1 - kept_count / cast(at_risk_count as double)) else 0 end
            as log_waiting,
        case
            when kept_count + died_count < at_risk_count
                then ln(1 - (kept_count + died_count) / cast(at_risk_count as double))
            else 0
        end as log_event_free,
        case when kept_count = at_risk_count then 1 else 0 end as is_last_served
    from at_risk
),

curve as (
    select
        *,
        case
            when max(is_last_served) over so_far = 1 then 0
            else exp(sum(log_waiting) over so_far)
        end as waiting_share,
        exp(coalesce(sum(log_event_free) over before, 0)) as event_free_before_share
    from factor
    window
        so_far as (partition by agency_id, month order by day_number rows between unbounded preceding and current row),
        before as (partition by agency_id, month order by day_number rows between unbounded preceding and 1 preceding)
),

-- Aalen-Johansen: of those still without any event, the share served that day.
incidence as (
    select
        *,
        sum(event_free_before_share * kept_count / cast(at_risk_count as double)) over (
            partition by agency_id, month order by day_number rows between unbounded preceding and current row
        ) as served_share
    from curve
),

total as (
    select
        agency_id,
        month,
        count(*) as considered_count,
        count(case when end_code = 'unknown' then 1 end) as unknown_count,
        count(case when end_code <> 'unknown' then 1 end) as denominator_count,
        count(case when end_code = 'kept' then 1 end) as kept_count,
        count(case when end_code = 'died' then 1 end) as died_count,
        count(case when end_code = 'censored' then 1 end) as censored_count,
        max(case when end_code <> 'unknown' then day_number end) as longest_day
    from lived
    group by agency_id, month
),

median as (
    select
        agency_id,
        month,
        min(day_number) as median_days
    from curve
    where waiting_share <= 0.5 + 1e-9
    group by agency_id, month
),

-- Beyond the last day on which anybody was followed nothing is known, unless all are served.
at_day as (
    select
        total.agency_id,
        total.month,
        day_row.days_after,
        total.considered_count,
        total.unknown_count,
        total.denominator_count,
        total.kept_count,
        total.died_count,
        total.censored_count,
        total.longest_day >= day_row.days_after or coalesce(min(incidence.waiting_share) = 0, false) as is_reached,
        coalesce(1 - min(incidence.waiting_share), 0) as kaplan_meier,
        coalesce(max(incidence.served_share), 0) as aalen_johansen
    from total
    cross join day_row
    left join incidence
        on
            total.agency_id = incidence.agency_id
            and total.month = incidence.month
            and day_row.days_after >= incidence.day_number
    group by
        total.agency_id,
        total.month,
        day_row.days_after,
        total.considered_count,
        total.unknown_count,
        total.denominator_count,
        total.kept_count,
        total.died_count,
        total.censored_count,
        total.longest_day
),

counted as (
    select
        at_day.*,
        case when at_day.is_reached then round(at_day.kaplan_meier, 6) end as served_kaplan_meier_share,
        case when at_day.is_reached then round(at_day.aalen_johansen, 6) end as served_competing_share,
        median.median_days
    from at_day
    left join median
        on
            at_day.agency_id = median.agency_id
            and at_day.month = median.month
),

final as (
    select
        {{ metric_columns('referral') }},
        day_row.days_after,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('kept_count') }},
        {{ available_count('died_count') }},
        {{ available_count('censored_count') }},
        {{ available_value('served_kaplan_meier_share') }},
        {{ available_value('served_competing_share') }},
        {{ available_value('median_days') }}
    from metric_row
    cross join day_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and day_row.days_after = counted.days_after
)

select * from final
