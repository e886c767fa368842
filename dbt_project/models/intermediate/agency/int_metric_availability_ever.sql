-- Grain: one row per agency and month, metric, and way of identifying behavioral-health calls.
-- A table, since every metric reads it.
{{ config(materialized='window_table', contract={'enforced': true}) }}
with agency_month as (
    select * from {{ ref('stg_agency_month') }} as agency_month
    where {{ in_window('agency_month') }}
),

requirement as (
    select * from {{ ref('codes_metric_requirement') }}
),

metric_row as (
    select distinct
        metric_id,
        identification_method_code
    from requirement
),

required_entity as (
    select distinct
        metric_id,
        identification_method_code,
        entity
    from requirement
),

agency_field as (
    select * from {{ ref('stg_agency_field') }}
    where is_mapped
),

row_count as (
    select * from {{ ref('fct_agency_month') }} as row_count
    where {{ in_window('row_count') }}
),

-- A field that the agency does not send.
missing_field as (
    select
        agency_month.agency_id,
        agency_month.month,
        requirement.metric_id,
        requirement.identification_method_code,
        requirement.reason
    from agency_month
    cross join requirement
    left join agency_field
        on
            agency_month.agency_id = agency_field.agency_id
            and requirement.entity = agency_field.entity
            and requirement.field = agency_field.field
    where agency_field.agency_id is null
),

sent_entity as (
    select distinct
        agency_id,
        entity
    from agency_field
),

-- A month without a row of an entity that the agency does send is a gap, not a zero.
missing_row as (
    select
        row_count.agency_id,
        row_count.month,
        required_entity.metric_id,
        required_entity.identification_method_code,
        'This month has no rows of ' || required_entity.entity || '.' as reason
    from row_count
    inner join required_entity on row_count.entity = required_entity.entity
    inner join sent_entity
        on
            row_count.agency_id = sent_entity.agency_id
            and row_count.entity = sent_entity.entity
    where row_count.row_count = 0
),

-- Local call types of which none says behavioral health cannot show it, and a count of zero would be no fact.
blind_agency as (
    select agency_code.agency_id
    from {{ ref('stg_agency_code') }} as agency_code
    left join {{ ref('codes_call_type') }} as call_type on agency_code.standard_code = call_type.call_type_code
    where agency_code.code_list = 'call_type'
    group by agency_code.agency_id
    having count(case when call_type.bh_tier = 1 then 1 end) = 0
),

blind_type as (
    select
        agency_month.agency_id,
        agency_month.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        'None of the agency''s call types is explicit behavioral health.' as reason
    from agency_month
    inner join blind_agency on agency_month.agency_id = blind_agency.agency_id
    cross join metric_row
    where metric_row.identification_method_code in ('call_type_initial', 'call_type_final')
),

-- The same of outcomes: "arrested" without a word of booking leaves only those who were not, and none of them booked.
blind_outcome as (
    select
        agency_code.agency_id,
        count(case when disposition.enforcement_code = 'booked' then 1 end) = 0 as is_blind_to_booking,
        count(case when disposition.destination_code in ('ed', 'psychiatric_ed') then 1 end) = 0 as is_blind_to_ed
    from {{ ref('stg_agency_code') }} as agency_code
    left join {{ ref('codes_disposition') }} as disposition
        on agency_code.standard_code = disposition.disposition_code
    where agency_code.code_list = 'disposition'
    group by agency_code.agency_id
),

blind_end as (
    select
        agency_month.agency_id,
        agency_month.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case metric_row.metric_id
            when 'M46.booking' then 'None of the agency''s dispositions says that somebody was booked.'
            else 'None of the agency''s dispositions names an emergency department.'
        end as reason
    from agency_month
    inner join blind_outcome on agency_month.agency_id = blind_outcome.agency_id
    inner join metric_row
        on
            (metric_row.metric_id = 'M46.booking' and blind_outcome.is_blind_to_booking)
            or (metric_row.metric_id = 'M46.ed_arrival' and blind_outcome.is_blind_to_ed)
),

gap as (
    select * from missing_field
    union all
    select * from missing_row
    union all
    select * from blind_type
    union all
    select * from blind_end
),

gap_text as (
    select
        agency_id,
        month,
        metric_id,
        identification_method_code,
        {{ string_agg_sorted('reason', ' ') }} as availability_reason
    from gap
    group by agency_id, month, metric_id, identification_method_code
),

final as (
    select
        agency_month.agency_id,
        agency_month.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case when gap_text.agency_id is null then 'available' else 'not_available' end as availability_code,
        coalesce(gap_text.availability_reason, '') as availability_reason
    from agency_month
    cross join metric_row
    left join gap_text
        on
            agency_month.agency_id = gap_text.agency_id
            and agency_month.month = gap_text.month
            and metric_row.metric_id = gap_text.metric_id
            and metric_row.identification_method_code = gap_text.identification_method_code
)

select * from final
