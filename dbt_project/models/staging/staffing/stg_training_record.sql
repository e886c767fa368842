-- Grain: one row per agency and completed course of one responder, current version.
-- Generated from seeds/standard/training_record.yml; do not edit; change that and run `crisis standard write`.
with training_record as (
    select * from {{ source('input', 'training_record') }} as training_record
    where {{ in_window('training_record') }}
),

final as (
    select
        agency_id,
        training_record_id,
        month,
        month_basis,
        training_record_number,
        course_code,
        course_local,
        course_hours,
        completed_date,
        expires_date,
        instructor_organization,
        pre_test_score,
        post_test_score,
        withheld_fields,
        stamp_imputed,
        extras
    from training_record
)

select * from final
