-- Grain: one row per agency and contact form of the window that has at least one disposition.
with contact_disposition as (
    select * from {{ ref('bridge_contact_disposition') }} as contact_disposition
    where {{ in_window('contact_disposition') }}
),

-- An unknown disposition can be an arrest, so it stands above a citation; it cannot undo a booking.
final as (
    select
        agency_id,
        contact_id,
        month,
        max(case when is_primary then disposition_code end) as primary_disposition_code,
        max(case when is_primary then category_code end) as primary_category_code,
        max(case when is_primary then primary_basis_code end) as primary_basis_code,
        count(*) as disposition_count,
        count(case when category_code <> 'not_known' then 1 end) as known_disposition_count,
        {{ highest_code('enforcement_code', ['booked', 'arrested_unspecified', 'unknown', 'cited', 'none']) }}
            as enforcement_code,
        {{ highest_code('legal_hold_code', ['involuntary', 'unknown', 'voluntary', 'none']) }} as legal_hold_code,
        {{ first_code('destination_code', 'disposition_seq') }} as destination_code,
        {{ first_code('service_code', 'disposition_seq') }} as service_code
    from contact_disposition
    group by agency_id, contact_id, month
)

select * from final
