-- Grain: one row per agency, month and metric: each is one point at which a person can be kept out.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('M17b', 'M17c', 'M17d', 'M17e', 'M20', 'M20b')
),

contact as (
    select * from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

jail_booking as (
    select * from {{ ref('fct_jail_booking') }} as jail_booking
    where {{ in_window('jail_booking') }}
),

court_event as (
    select * from {{ ref('stg_court_event') }} as court_event
    where {{ in_window('court_event') }}
),

-- At each point: is the record eligible, and was the person diverted: yes, no, or unknown.
asked as (
    select
        agency_id,
        month,
        'M17b' as metric_id,
        case
            when arrestable_offense = 'no' or officer_discretion_basis_code in ('warrant', 'mandatory_arrest') then 'no'
            when arrestable_offense <> 'yes' then 'unknown'
            when officer_discretion_basis_code = 'no_pc' or officer_discretion_basis_code in {{ unknown_codes() }}
                then 'unknown'
            else 'yes'
        end as eligible,
        case
            when enforcement_code = 'none' then 'yes'
            when enforcement_code in ('cited', 'arrested_unspecified', 'booked') then 'no'
            else 'unknown'
        end as diverted
    from contact
    union all
    select
        agency_id,
        month,
        'M17c' as metric_id,
        case
            when enforcement_code = 'none' or officer_discretion_basis_code in ('warrant', 'mandatory_arrest') then 'no'
            when enforcement_code in ('cited', 'arrested_unspecified', 'booked') then 'yes'
            else 'unknown'
        end as eligible,
        case enforcement_code when 'cited' then 'yes' when 'booked' then 'no' else 'unknown' end as diverted
    from contact
    union all
    select
        agency_id,
        month,
        'M20' as metric_id,
        case when ed_transport_indicated in ('yes', 'no') then ed_transport_indicated else 'unknown' end as eligible,
        case
            when destination_code in {{ emergency_departments() }} then 'no'
            when destination_code in {{ unknown_codes() }} then 'unknown'
            else 'yes'
        end as diverted
    from contact
    union all
    select
        agency_id,
        month,
        'M20b' as metric_id,
        case
            when legal_hold_code in ('voluntary', 'involuntary') then 'yes'
            when legal_hold_code = 'none' then 'no'
            else 'unknown'
        end as eligible,
        case legal_hold_code when 'voluntary' then 'yes' else 'no' end as diverted
    from contact
    union all
    select
        agency_id,
        month,
        'M17d' as metric_id,
        case
            when warrant_only = 'yes' or release_type_code in ('in_custody', 'deceased') then 'no'
            else 'yes'
        end as eligible,
        case
            when release_type_code = 'diverted' then 'yes'
            when release_type_code is null or release_type_code in {{ unknown_codes() }} then 'unknown'
            else 'no'
        end as diverted
    from jail_booking
    union all
    select
        agency_id,
        month,
        'M17e' as metric_id,
        case
            when court_outcome_code = 'pending' then 'no'
            when court_outcome_code is null or court_outcome_code in {{ unknown_codes() }} then 'unknown'
            else 'yes'
        end as eligible,
        case court_outcome_code when 'diverted' then 'yes' else 'no' end as diverted
    from court_event
),

summed as (
    select
        agency_id,
        month,
        metric_id,
        count(*) as considered_count,
        count(case when eligible = 'no' then 1 end) as not_eligible_count,
        count(case when eligible = 'unknown' then 1 end) as eligibility_unknown_count,
        count(case when eligible = 'yes' then 1 end) as eligible_count,
        count(case when eligible = 'yes' and diverted = 'unknown' then 1 end) as unknown_count,
        count(case when eligible = 'yes' and diverted <> 'unknown' then 1 end) as denominator_count,
        count(case when eligible = 'yes' and diverted = 'yes' then 1 end) as diverted_count
    from asked
    group by agency_id, month, metric_id
),

counted as (
    select
        *,
        {{ share('eligibility_unknown_count', 'considered_count') }} as eligibility_unknown_share,
        {{ share('diverted_count', 'denominator_count') }} as diverted_share
    from summed
),

final as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case metric_row.metric_id when 'M17d' then 'booking' when 'M17e' then 'court_event' else 'contact' end
            as population_code,
        metric_row.availability_code,
        metric_row.availability_reason,
        case metric_row.metric_id
            when 'M17b' then 'before_arrest'
            when 'M17c' then 'from_booking'
            when 'M17d' then 'from_jail'
            when 'M17e' then 'from_court'
            when 'M20' then 'from_ed'
            else 'from_hold'
        end as point_code,
        {{ available_count('considered_count') }},
        {{ available_count('not_eligible_count') }},
        {{ available_count('eligibility_unknown_count') }},
        {{ available_count('eligible_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('diverted_count') }},
        {{ available_value('eligibility_unknown_share') }},
        {{ available_value('diverted_share') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
