-- Grain: one row per metric. Rebuilt whole by each run.
{{ config(materialized='table') }}

with metric as (
    select * from {{ ref('codes_metric') }}
),

final as (
    select
        metric_id,
        label,
        definition,
        family,
        table_name,
        unit,
        source
    from metric
)

select * from final
