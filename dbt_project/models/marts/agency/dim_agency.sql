-- Grain: one row per agency. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency as (
    select * from {{ ref('stg_agency') }}
)

select * from agency
