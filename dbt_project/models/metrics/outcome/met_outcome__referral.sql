-- Grain: one row per agency, month, metric, basis, outcome and window in days (0: no window). Rebuilt whole.
{{ config(materialized='table') }}
{%- set windows = [7, 14, 30, 90] %}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('M31', 'M31b', 'M32', 'M32b', 'M34', 'M35')
),

referral as (
    select * from {{ ref('int_referral_outcome') }}
),

contact as (
    select * from {{ ref('fct_contact') }}
),

last_known as (
    select max(as_of_date) as followed_until_date from {{ ref('fct_referral') }}
),

-- The agencies whose contacts or calls some referral names; of others nobody can say what became of a contact.
named_agency as (
    select distinct contact.agency_id
    from contact
    inner join referral on contact.contact_id = referral.contact_id
    union
    select distinct contact.agency_id
    from contact
    inner join referral on contact.linked_incident_id = referral.incident_id
),

-- A contact's referrals, whoever sent them: named by the form's number, else by the call's.
named as (
    select
        contact.contact_id,
        referral.offered,
        referral.accepted,
        referral.kept_day,
        referral.is_outcome_unknown
    from contact
    inner join referral on contact.contact_id = referral.contact_id
    union all
    select
        contact.contact_id,
        referral.offered,
        referral.accepted,
        referral.kept_day,
        referral.is_outcome_unknown
    from contact
    inner join referral on contact.linked_incident_id = referral.incident_id
    where referral.contact_id is null
),

contact_result as (
    select
        contact_id,
        count(case when offered = 'yes' then 1 end) > 0 as is_offered,
        min(kept_day) as kept_day,
        count(case when is_outcome_unknown then 1 end) > 0 as is_outcome_unknown
    from named
    group by contact_id
),

-- What is asked of each record: is it of the basis, long enough followed, and what came of it.
asked as (
    {%- for outcome in ['accepted', 'declined'] %}
    select
        agency_id,
        month,
        'M31' as metric_id,
        'offered' as basis_code,
        '{{ outcome }}' as outcome_code,
        0 as window_days,
        offered as in_basis,
        true as is_followed,
        {%- if outcome == 'accepted' %}
        accepted as answer
        {%- else %}
        case accepted when 'yes' then 'no' when 'no' then 'yes' else accepted end as answer
        {%- endif %}
    from referral
    union all
    {%- endfor %}
    {%- for basis in ['offered', 'accepted'] %}
    {%- for days in windows %}
    select
        agency_id,
        month,
        'M32' as metric_id,
        '{{ basis }}' as basis_code,
        'linked' as outcome_code,
        {{ days }} as window_days,
        {{ basis }} as in_basis,
        coalesce(followed_days >= {{ days }}, false) as is_followed,
        case when kept_day <= {{ days }} then 'yes' when is_outcome_unknown then 'unknown' else 'no' end as answer
    from referral
    union all
    {%- endfor %}
    {%- endfor %}
    {%- for days in [30, 90] %}
    select
        agency_id,
        month,
        'M34' as metric_id,
        'accepted' as basis_code,
        'engaged' as outcome_code,
        {{ days }} as window_days,
        accepted as in_basis,
        coalesce(followed_days >= {{ days }}, false) as is_followed,
        case
            when services_{{ days }}_days >= 2 then 'yes' when is_outcome_unknown then 'unknown' else 'no'
        end as answer
    from referral
    union all
    {%- endfor %}
    select
        agency_id,
        month,
        'M35' as metric_id,
        'accepted' as basis_code,
        'outcome_unknown' as outcome_code,
        30 as window_days,
        accepted as in_basis,
        coalesce(followed_days >= 30, false) as is_followed,
        case
            when is_outcome_unknown or (kept_day is null and referral_status_code = 'pending') then 'yes' else 'no'
        end as answer
    from referral
    union all
    {%- for days in windows %}
    select
        contact.agency_id,
        contact.month,
        'M32b' as metric_id,
        'contact' as basis_code,
        'linked' as outcome_code,
        {{ days }} as window_days,
        'yes' as in_basis,
        coalesce(
            {{ seconds_between(
                'cast(coalesce(contact.occurred_local_at, contact.reported_local_at) as timestamp)',
                'cast(last_known.followed_until_date as timestamp)'
            ) }} >= {{ days }} * 86400, false
        ) as is_followed,
        case
            when contact_result.kept_day <= {{ days }} then 'yes'
            when contact_result.is_outcome_unknown then 'unknown'
            else 'no'
        end as answer
    from contact
    cross join last_known
    left join contact_result on contact.contact_id = contact_result.contact_id
    union all
    {%- endfor %}
    select
        contact.agency_id,
        contact.month,
        'M31b' as metric_id,
        'contact' as basis_code,
        'offered' as outcome_code,
        0 as window_days,
        'yes' as in_basis,
        true as is_followed,
        case when contact_result.is_offered then 'yes' else 'no' end as answer
    from contact
    left join contact_result on contact.contact_id = contact_result.contact_id
),

summed as (
    select
        agency_id,
        month,
        metric_id,
        basis_code,
        outcome_code,
        window_days,
        count(*) as considered_count,
        count(case when in_basis = 'no' then 1 end) as not_in_basis_count,
        count(case when in_basis = 'unknown' then 1 end) as basis_unknown_count,
        count(case when in_basis = 'yes' and not is_followed then 1 end) as censored_count,
        count(case when in_basis = 'yes' and is_followed and answer = 'unknown' then 1 end) as unknown_count,
        count(case when in_basis = 'yes' and is_followed and answer in ('yes', 'no') then 1 end) as denominator_count,
        count(case when in_basis = 'yes' and is_followed and answer = 'yes' then 1 end) as outcome_count
    from asked
    group by agency_id, month, metric_id, basis_code, outcome_code, window_days
),

counted as (
    select
        *,
        {{ share('outcome_count', 'denominator_count') }} as outcome_share,
        {{ share('outcome_count', '(denominator_count + unknown_count)') }} as lowest_share
    from summed
),

result as (
    {%- for metric_id, basis, outcome, days in referral_results() %}
    select
        '{{ metric_id }}' as metric_id,
        '{{ basis }}' as basis_code,
        '{{ outcome }}' as outcome_code,
        {{ days }} as window_days
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

told as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case
            when metric_row.metric_id in ('M31b', 'M32b') and named_agency.agency_id is null then 'not_available'
            else metric_row.availability_code
        end as availability_code,
        case
            when
                metric_row.availability_code = 'available'
                and metric_row.metric_id in ('M31b', 'M32b')
                and named_agency.agency_id is null
                then 'No referral of any agency names a contact or call of this agency.'
            else metric_row.availability_reason
        end as availability_reason
    from metric_row
    left join named_agency on metric_row.agency_id = named_agency.agency_id
),

final as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case when result.basis_code = 'contact' then 'contact' else 'referral' end as population_code,
        metric_row.availability_code,
        metric_row.availability_reason,
        result.basis_code,
        result.outcome_code,
        result.window_days,
        {{ available_count('considered_count') }},
        {{ available_count('not_in_basis_count') }},
        {{ available_count('basis_unknown_count') }},
        {{ available_count('censored_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }},
        {{ available_value('lowest_share') }}
    from told as metric_row
    inner join result on metric_row.metric_id = result.metric_id
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and result.metric_id = counted.metric_id
            and result.basis_code = counted.basis_code
            and result.outcome_code = counted.outcome_code
            and result.window_days = counted.window_days
)

select * from final
