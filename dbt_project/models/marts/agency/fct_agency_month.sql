-- Grain: one row per agency, month and entity of the standard, with how many rows there are, zero included.
{%- set entities = ['incident', 'unit_response', 'contact', 'contact_disposition', 'jail_booking'] %}
with agency_month as (
    select * from {{ ref('stg_agency_month') }} as agency_month
    where {{ in_window('agency_month') }}
),

counted as (
    {%- for entity in entities %}
    select
        {{ entity }}.agency_id,
        {{ entity }}.month,
        '{{ entity }}' as entity,
        count(*) as row_count
    from {{ ref('stg_' ~ entity) }} as {{ entity }}
    where {{ in_window(entity) }}
    group by {{ entity }}.agency_id, {{ entity }}.month
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

entity as (
    {%- for entity in entities %}
    select '{{ entity }}' as entity
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        agency_month.agency_id,
        agency_month.month,
        entity.entity,
        coalesce(counted.row_count, 0) as row_count
    from agency_month
    cross join entity
    left join counted
        on
            agency_month.agency_id = counted.agency_id
            and agency_month.month = counted.month
            and entity.entity = counted.entity
)

select * from final
