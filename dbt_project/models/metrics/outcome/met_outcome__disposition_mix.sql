-- Grain: one row per agency, month, basis (primary or any disposition of a contact) and disposition.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M15'
),

disposition as (
    select * from {{ ref('dim_disposition') }}
    where category_code <> 'not_known'
),

basis as (
    select 'primary' as basis_code
    union all
    select 'any' as basis_code
),

contact as (
    select * from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

contact_disposition as (
    select * from {{ ref('bridge_contact_disposition') }} as contact_disposition
    where {{ in_window('contact_disposition') }}
),

-- A contact counts once for each disposition that it has, however often the form says it.
had as (
    select
        agency_id,
        month,
        'primary' as basis_code,
        primary_disposition_code as disposition_code,
        count(*) as contact_count
    from contact
    group by agency_id, month, primary_disposition_code
    union all
    select
        agency_id,
        month,
        'any' as basis_code,
        disposition_code,
        count(distinct contact_id) as contact_count
    from contact_disposition
    group by agency_id, month, disposition_code
),

total as (
    select
        agency_id,
        month,
        count(*) as considered_count,
        count(case when primary_category_code <> 'not_known' then 1 end) as primary_known_count,
        count(case when known_disposition_count > 0 then 1 end) as any_known_count
    from contact
    group by agency_id, month
),

row_of_mix as (
    select
        metric_row.*,
        basis.basis_code,
        disposition.disposition_code,
        disposition.category_code
    from metric_row
    cross join basis
    cross join disposition
),

summed as (
    select
        row_of_mix.agency_id,
        row_of_mix.month,
        row_of_mix.basis_code,
        row_of_mix.disposition_code,
        total.considered_count,
        case when row_of_mix.basis_code = 'primary' then total.primary_known_count else total.any_known_count end
            as denominator_count,
        coalesce(had.contact_count, 0) as contact_count
    from row_of_mix
    inner join total
        on
            row_of_mix.agency_id = total.agency_id
            and row_of_mix.month = total.month
    left join had
        on
            row_of_mix.agency_id = had.agency_id
            and row_of_mix.month = had.month
            and row_of_mix.basis_code = had.basis_code
            and row_of_mix.disposition_code = had.disposition_code
),

counted as (
    select
        *,
        considered_count - denominator_count as unknown_count,
        {{ share('contact_count', 'denominator_count') }} as contact_share
    from summed
),

final as (
    select
        {{ metric_columns('contact') }},
        metric_row.basis_code,
        metric_row.disposition_code,
        metric_row.category_code,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('contact_count') }},
        {{ available_value('contact_share') }}
    from row_of_mix as metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.basis_code = counted.basis_code
            and metric_row.disposition_code = counted.disposition_code
)

select * from final
