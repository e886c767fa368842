-- Grain: one row per agency, contact form and disposition, numbered from 1, the primary one.
with contact_disposition as (
    select * from {{ ref('stg_contact_disposition') }} as contact_disposition
    where {{ in_window('contact_disposition') }}
),

numbered as (
    select
        *,
        count(*) over (partition by agency_id, month, contact_id) as disposition_count,
        count(case when marked_primary = 'yes' then 1 end)
            over (partition by agency_id, month, contact_id) as marked_count,
        row_number() over (
            partition by agency_id, month, contact_id
            order by
                case when marked_primary = 'yes' then 0 else 1 end asc,
                primary_rank asc nulls last,
                contact_disposition_id asc
        ) as disposition_seq
    from contact_disposition
),

final as (
    select
        agency_id,
        contact_id,
        cast(disposition_seq as integer) as disposition_seq,
        contact_disposition_id,
        month,
        month_basis,
        contact_number,
        occurred_at,
        occurred_local_at,
        reported_at,
        reported_local_at,
        disposition_code,
        disposition_local,
        category_code,
        enforcement_code,
        legal_hold_code,
        destination_code,
        service_code,
        disposition_seq = 1 as is_primary,
        case
            when marked_count = 1 then 'source'
            when disposition_count = 1 then 'only'
            else 'ranked'
        end as primary_basis_code,
        marked_primary,
        disposition_at,
        disposition_local_at,
        facility_number,
        primary_rank,
        withheld_fields,
        stamp_imputed,
        extras
    from numbered
)

select * from final
