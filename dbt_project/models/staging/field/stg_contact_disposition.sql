-- Grain: one row per agency, contact form and local disposition, current version.
with contact_disposition as (
    select * from {{ source('input', 'contact_disposition') }} as contact_disposition
    where {{ in_window('contact_disposition') }}
),

disposition as (
    select * from {{ ref('codes_disposition') }}
),

final as (
    select
        contact_disposition.agency_id,
        contact_disposition.contact_disposition_id,
        contact_disposition.month,
        contact_disposition.month_basis,
        contact_disposition.contact_number,
        contact_disposition.contact_id,
        contact_disposition.occurred_at,
        contact_disposition.occurred_local_at,
        contact_disposition.reported_at,
        contact_disposition.reported_local_at,
        contact_disposition.disposition_code,
        contact_disposition.disposition_local,
        contact_disposition.marked_primary,
        contact_disposition.disposition_at,
        contact_disposition.disposition_local_at,
        contact_disposition.facility_number,
        -- A code that the list lacks is unknown on every axis: it may hide an arrest.
        coalesce(disposition.category_code, 'not_known') as category_code,
        coalesce(disposition.enforcement_code, 'unknown') as enforcement_code,
        coalesce(disposition.legal_hold_code, 'unknown') as legal_hold_code,
        coalesce(disposition.destination_code, 'unknown') as destination_code,
        coalesce(disposition.service_code, 'unknown') as service_code,
        disposition.primary_rank,
        contact_disposition.withheld_fields,
        contact_disposition.stamp_imputed,
        contact_disposition.extras
    from contact_disposition
    left join disposition on contact_disposition.disposition_code = disposition.disposition_code
)

select * from final
