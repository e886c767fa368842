-- Grain: one row per agency, code list, local code and first day of validity. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency_code as (
    select * from {{ source('input', 'agency_code') }}
),

final as (
    select
        agency_id,
        code_list,
        local_code,
        standard_code,
        valid_from,
        valid_to,
        note
    from agency_code
)

select * from final
