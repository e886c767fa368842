-- Grain: one row per agency, report and offense.
-- Generated from seeds/standard/offense.yml; do not edit; change that and run `crisis standard write`.
with offense as (
    select * from {{ ref('stg_offense') }} as offense
    where {{ in_window('offense') }}
),

final as (
    select
        agency_id,
        offense_id,
        month,
        month_basis,
        offense_number,
        report_number,
        incident_number,
        incident_id,
        occurred_at,
        occurred_local_at,
        reported_at,
        reported_local_at,
        nibrs_offense_code,
        nibrs_offense_local,
        charge_level_code,
        charge_level_local,
        substance_codes,
        substance_local,
        weapon_type_code,
        weapon_type_local,
        arrest_made,
        victim_count,
        bh_flagged,
        location_type_code,
        location_type_local,
        beat,
        sector,
        precinct,
        neighborhood,
        tract_geoid,
        withheld_fields,
        stamp_imputed,
        extras
    from offense
)

select * from final
