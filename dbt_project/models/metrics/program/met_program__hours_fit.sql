-- Grain: one row per agency, month, population, program (any_team: the teams together), slice and value. Rebuilt whole.
{{ config(materialized='table') }}
{%- set methods = ['not_applicable', 'call_type_initial', 'call_type_final', 'field_form'] %}
{%- set slices = ['hour_of_week', 'beat'] %}
{#- In the order of nearness. -#}
{%- set places = {
    'inside': 1, 'unknown': 2, 'outside_hours': 3, 'outside_area': 4, 'outside_both': 5, 'not_running': 6
} %}
{%- set areas = {
    'beat': 'beat', 'sector': 'sector', 'precinct': 'precinct', 'tract': 'tract_geoid', 'zip5': 'zip5',
    'neighborhood': 'neighborhood'
} %}
with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'M45'
),

program_hour as (
    select * from {{ ref('dim_program_hour') }}
),

program as (
    select distinct
        agency_id,
        program_id,
        program_number,
        program_model_code in (
            'ride_along', 'ride_separate', 'telephone_or_telehealth', 'alternative_no_police', 'mobile_crisis'
        ) as is_team,
        hours_basis_code,
        catchment_geoids,
        geography_level_code,
        start_date,
        end_date
    from program_hour
),

metric_month as (
    select distinct
        agency_id,
        month
    from metric_row
),

-- The programs that ran in a month, or in a part of it.
running_program as (
    select
        metric_month.month,
        program.*
    from metric_month
    inner join program
        on
            metric_month.agency_id = program.agency_id
            and coalesce({{ month_of('program.start_date') }} <= metric_month.month, true)
            and coalesce({{ month_of('program.end_date') }} >= metric_month.month, true)
),

-- What they ask of a call: its place in the areas that they name, and its day if one starts or ends within the month.
asked_month as (
    select
        agency_id,
        month,
        {%- for level, column in areas.items() %}
        count(case when geography_level_code = '{{ level }}' then catchment_geoids end) > 0 as is_{{ column }}_asked,
        {%- endfor %}
        count(case
            when
                month = {{ month_of('start_date') }}
                and month = {{ month_of(days_before('start_date', 1)) }}
                then 1
            when
                month = {{ month_of('end_date') }}
                and month = {{ month_of(days_before('end_date', -1)) }}
                then 1
        end) > 0 as is_day_asked
    from running_program
    group by agency_id, month
),

-- Calls that have all in common that the hours and areas of programs ask for.
tally as (
    select
        incident.agency_id,
        incident.month,
        {{ iso_day_of_week('incident.received_local_at') }} as day_of_week,
        extract(hour from incident.received_local_at) as hour_of_day,
        case when asked_month.is_day_asked then cast(incident.received_local_at as date) end as asked_date,
        incident.beat,
        {%- for column in areas.values() %}
        case when asked_month.is_{{ column }}_asked then incident.{{ column }} end as area_{{ column }},
        {%- endfor %}
        min(incident.received_local_at) as received_local_at,
        {%- for method in methods[1:] %}
        count(case when incident.bh_{{ method }} = 'yes' then 1 end) as {{ method }}_count,
        {%- endfor %}
        count(*) as not_applicable_count
    from {{ ref('fct_incident') }} as incident
    inner join asked_month
        on
            incident.agency_id = asked_month.agency_id
            and incident.month = asked_month.month
    where incident.exclusion_code = 'none'
    group by all
),

-- A day that nobody asks for may be any day of the tally.
numbered as (
    select
        agency_id,
        month,
        cast(received_local_at as date) as received_date,
        {{ slice_value(hour_of_week('received_local_at')) }} as hour_of_week,
        {{ slice_value('beat') }} as beat,
        {%- for column in areas.values() %}
        area_{{ column }},
        {%- endfor %}
        {%- for method in methods %}
        {{ method }}_count,
        {%- endfor %}
        row_number() over () as tally_number
    from tally
),

-- Three answers for each program that ran in the month: is it running, open, and serving the call's area?
asked as (
    select
        numbered.tally_number,
        program.program_number,
        program.is_team,
        case
            when program.start_date > numbered.received_date or program.end_date < numbered.received_date then 'no'
            when program.start_date is null or numbered.received_date is null then 'unknown'
            else 'yes'
        end as is_running,
        coalesce(
            case
                when program.hours_basis_code = 'empty' then 'yes'
                else program_hour.program_open
            end, 'unknown'
        ) as program_open,
        case
            when program.catchment_geoids is null then 'yes'
            {%- for level, column in areas.items() %}
            when program.geography_level_code = '{{ level }}' and numbered.area_{{ column }} is not null
                then case
                    when {{ list_names('program.catchment_geoids', 'numbered.area_' ~ column) }} then 'yes'
                    else 'no'
                end
            {%- endfor %}
            else 'unknown'
        end as is_served
    from numbered
    inner join running_program as program
        on
            numbered.agency_id = program.agency_id
            and numbered.month = program.month
    left join program_hour
        on
            program.agency_id = program_hour.agency_id
            and program.program_id = program_hour.program_id
            and numbered.hour_of_week = program_hour.hour_of_week
),

placed as (
    select
        tally_number,
        program_number,
        is_team,
        case
            when is_running = 'no' then {{ places.not_running }}
            when program_open = 'no' and is_served = 'no' then {{ places.outside_both }}
            when program_open = 'no' then {{ places.outside_hours }}
            when is_served = 'no' then {{ places.outside_area }}
            when is_running = 'unknown' or program_open = 'unknown' or is_served = 'unknown' then {{ places.unknown }}
            else {{ places.inside }}
        end as place
    from asked
),

-- A call is inside the teams' hours and areas if it is inside those of one; else the place nearest to that counts.
either as (
    select
        tally_number,
        program_number,
        place
    from placed
    union all
    select
        tally_number,
        'any_team' as program_number,
        min(place) as place
    from placed
    where is_team
    group by tally_number
),

-- One scan: every slice of every program.
sliced as (
    select
        numbered.agency_id,
        numbered.month,
        either.program_number,
        either.place,
        {%- for method in methods %}
        sum(numbered.{{ method }}_count) as {{ method }}_count,
        {%- endfor %}
        {{ slice_columns(slices) }}
    from numbered
    inner join either on numbered.tally_number = either.tally_number
    group by {{ sliced_by(['agency_id', 'month', 'program_number', 'place'], slices) }}
),

population as (
    {%- for method in methods %}
    select
        *,
        '{{ method }}' as identification_method_code,
        {{ method }}_count as call_count
    from sliced
    where {{ method }}_count > 0
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

summed as (
    select
        agency_id,
        month,
        identification_method_code,
        program_number,
        slice_code,
        slice_value,
        {%- for code, place in places.items() %}
        sum(case when place = {{ place }} then call_count else 0 end) as {{ code }}_count,
        {%- endfor %}
        sum(call_count) as considered_count
    from population
    group by agency_id, month, identification_method_code, program_number, slice_code, slice_value
),

counted as (
    select
        *,
        considered_count - not_running_count - unknown_count as denominator_count,
        {{ share('inside_count', '(considered_count - not_running_count - unknown_count)') }} as inside_share
    from summed
),

running_agency as (
    select distinct
        agency_id,
        month
    from summed
),

told as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case when running_agency.agency_id is null then 'not_available' else metric_row.availability_code end
            as availability_code,
        case
            when metric_row.availability_code = 'available' and running_agency.agency_id is null
                then 'No program of the agency ran in this month.'
            else metric_row.availability_reason
        end as availability_reason
    from metric_row
    left join running_agency
        on
            metric_row.agency_id = running_agency.agency_id
            and metric_row.month = running_agency.month
),

final as (
    select
        {{ metric_columns('community_call') }},
        coalesce(counted.program_number, 'none') as program_number,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('not_running_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('inside_count') }},
        {{ available_count('outside_hours_count') }},
        {{ available_count('outside_area_count') }},
        {{ available_count('outside_both_count') }},
        {{ available_value('inside_share') }}
    from told as metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
