-- Grain: one row per agency and person number; the newest version counts, current version.
-- Generated from seeds/standard/person.yml; do not edit; change that and run `crisis standard write`.
with person as (
    select * from {{ source('input', 'person') }} as person
    where {{ in_window('person') }}
),

final as (
    select
        agency_id,
        person_id,
        month,
        month_basis,
        as_of_date,
        birth_year,
        sex_gender_code,
        sex_gender_local,
        race_ethnicity_codes,
        race_ethnicity_local,
        language_code,
        language_local,
        interpreter_needed,
        veteran,
        anonymous,
        withheld_fields,
        stamp_imputed,
        extras
    from person
)

select * from final
