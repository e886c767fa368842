{#
  Beats with how many sectors their calls tell, and one of them: (agency_id, beat, sector, sector_count). Where it is one,
  the beat of its call tells a unit's sector, and calls need not be joined to units. relation: calls.
#}
{% macro sectors_of_beats(relation) -%}
    select
        agency_id,
        beat,
        min(sector) as sector,
        count(*) as sector_count
    from (
        select distinct
            agency_id,
            beat,
            sector
        from {{ relation }}
        where beat is not null
    ) as told_sector
    group by agency_id, beat
{%- endmacro %}
