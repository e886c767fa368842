-- Grain: one row per agency and sampled record, current version.
-- Generated from seeds/standard/narrative_review_sample.yml; do not edit; change that and run `crisis standard write`.
with narrative_review_sample as (
    select * from {{ source('input', 'narrative_review_sample') }} as narrative_review_sample
    where {{ in_window('narrative_review_sample') }}
),

final as (
    select
        agency_id,
        narrative_review_sample_id,
        month,
        month_basis,
        review_number,
        sampled_date,
        incident_number,
        incident_id,
        contact_number,
        contact_id,
        offense_number,
        offense_id,
        stratum,
        sampling_weight,
        codebook_version,
        first_rater_bh,
        second_rater_bh,
        adjudicated_bh,
        first_rater_bh_kind_codes,
        first_rater_bh_kind_local,
        second_rater_bh_kind_codes,
        second_rater_bh_kind_local,
        adjudicated_bh_kind_codes,
        adjudicated_bh_kind_local,
        raters_blinded,
        withheld_fields,
        stamp_imputed,
        extras
    from narrative_review_sample
)

select * from final
