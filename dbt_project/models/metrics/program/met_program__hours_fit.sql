-- Grain: one row per agency, month, population, program (any_team: the teams together), slice and value. Rebuilt whole.
{{ config(materialized='table') }}
{%- set keys = ['agency_id', 'month', 'identification_method_code', 'program_number'] %}
{%- set slices = ['hour_of_week', 'beat'] %}
{%- set places = ['inside', 'unknown', 'outside_hours', 'outside_area', 'outside_both', 'not_running'] %}
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

-- Calls that have all in common that the hours and areas of programs ask for.
tally as (
    select
        incident.agency_id,
        incident.month,
        cast(incident.received_local_at as date) as received_date,
        {{ slice_value(hour_of_week('incident.received_local_at')) }} as hour_of_week,
        {{ slice_value('incident.beat') }} as beat,
        {%- for column in areas.values() %}
        incident.{{ column }} as area_{{ column }},
        {%- endfor %}
        {%- for method in ['call_type_initial', 'call_type_final', 'field_form'] %}
        incident.bh_{{ method }},
        {%- endfor %}
        count(*) as call_count
    from {{ ref('fct_incident') }} as incident
    where incident.exclusion_code = 'none'
    group by all
),

numbered as (
    select
        *,
        row_number() over () as tally_number
    from tally
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
    inner join program
        on
            numbered.agency_id = program.agency_id
            and coalesce({{ month_of('program.start_date') }} <= numbered.month, true)
            and coalesce({{ month_of('program.end_date') }} >= numbered.month, true)
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
            when is_running = 'no' then 'not_running'
            when program_open = 'no' and is_served = 'no' then 'outside_both'
            when program_open = 'no' then 'outside_hours'
            when is_served = 'no' then 'outside_area'
            when is_running = 'unknown' or program_open = 'unknown' or is_served = 'unknown' then 'unknown'
            else 'inside'
        end as place_code
    from asked
),

-- A call is inside the teams' hours and areas if it is inside those of one; else the place nearest to that counts.
either as (
    select
        tally_number,
        program_number,
        place_code
    from placed
    union all
    select
        tally_number,
        'any_team' as program_number,
        {{ highest_code('place_code', places) }} as place_code
    from placed
    where is_team
    group by tally_number
),

joined as (
    select
        numbered.*,
        either.program_number,
        either.place_code
    from numbered
    inner join either on numbered.tally_number = either.tally_number
),

population as (
    {{- by_population('joined') }}
),

-- One scan: every slice of every program.
summed as (
    select
        {{ keys | join(',\n        ') }},
        {{ slice_columns(slices) }},
        {%- for place in places %}
        sum(case when place_code = '{{ place }}' then call_count else 0 end) as {{ place }}_count,
        {%- endfor %}
        sum(call_count) as considered_count
    from population
    group by {{ sliced_by(keys, slices) }}
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
