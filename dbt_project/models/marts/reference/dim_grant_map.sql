-- Grain: one row per field of a funder's form that an indicator fills. Rebuilt whole by each run.
{{ config(materialized='table') }}

with grant_map as (
    select * from {{ ref('grant_map') }}
),

indicator as (
    select * from {{ ref('indicator') }}
),

final as (
    select
        grant_map.form_code,
        grant_map.form_field,
        grant_map.indicator_code,
        grant_map.period_code,
        indicator.label,
        indicator.unit,
        grant_map.note
    from grant_map
    left join indicator on grant_map.indicator_code = indicator.indicator_code
)

select * from final
