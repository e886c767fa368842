-- Grain: one row per agency and CAD event of the window that has unit responses in its month or the month after.
{%- set instants = {
    'first_dispatched': 'dispatched_at', 'first_on_scene': 'on_scene_at', 'last_cleared': 'cleared_at',
} %}
with incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident') }}
),

unit_response as (
    select
        unit_response.*,
        {{ is_bh_capable('unit_response') }} as is_bh_capable
    from {{ ref('stg_unit_response') }} as unit_response
    where {{ in_window('unit_response', lookahead_months=1) }}
),

summed as (
    select
        incident.agency_id,
        incident.incident_id,
        min(unit_response.response_scope_code) as response_scope_code,
        min(unit_response.response_scope_code) <> max(unit_response.response_scope_code) as is_mixed,
        min(unit_response.dispatched_at) as first_dispatched_at,
        min(unit_response.enroute_at) as first_enroute_at,
        min(unit_response.on_scene_at) as first_on_scene_at,
        max(unit_response.cleared_at) as last_cleared_at,
        min(case when unit_response.is_bh_capable then unit_response.on_scene_at end) as first_bh_capable_on_scene_at,
        max(
            case
                when unit_response.is_bh_capable
                    then {{ stamp_weight('on_scene_at', 'unit_response.stamp_imputed') }}
            end
        ) as first_bh_capable_on_scene_stamp_weight,
        count(case when unit_response.is_bh_capable then unit_response.on_scene_at end) as bh_capable_arrived_count,
        count(
            case
                when
                    unit_response.is_bh_capable
                    and unit_response.on_scene_at is null
                    and unit_response.cancelled_at is null
                    then 1
                when
                    unit_response.is_bh_capable is null
                    and (unit_response.on_scene_at is not null or unit_response.cancelled_at is null)
                    then 1
            end
        ) as perhaps_bh_capable_count,
        {{ id_of_earliest('unit_response.unit_response_id', 'unit_response.on_scene_at') }}
            as first_arriving_unit_response_id,
        {%- for instant, field in instants.items() %}
        max({{ stamp_weight(field, 'unit_response.stamp_imputed') }}) as {{ instant }}_stamp_weight,
        {%- endfor %}
        count(*) as row_count,
        count(unit_response.on_scene_at) as arrived_count,
        count(unit_response.task_seconds) as task_count,
        count(unit_response.task_seconds * unit_response.officer_count) as officer_known_count,
        count(unit_response.task_seconds * unit_response.clinician_count) as clinician_known_count,
        sum(unit_response.task_seconds) as task_seconds,
        sum(unit_response.task_seconds * unit_response.officer_count) as officer_seconds,
        sum(unit_response.task_seconds * unit_response.clinician_count) as clinician_seconds
    from unit_response
    inner join incident
        on
            unit_response.agency_id = incident.agency_id
            and unit_response.incident_id = incident.incident_id
    where {{ months_near('incident', 'unit_response', lookahead_months=1) }}
    group by incident.agency_id, incident.incident_id
),

-- First times over all units say nothing of how many units came, or for how long.
scoped as (
    select
        *,
        response_scope_code = 'unit' and not is_mixed as is_by_unit
    from summed
),

-- A sum over units is the event's only if every unit's part is known.
final as (
    select
        agency_id,
        incident_id,
        first_dispatched_at,
        first_enroute_at,
        first_on_scene_at,
        last_cleared_at,
        first_bh_capable_on_scene_at,
        first_arriving_unit_response_id,
        -- Which unit was first hangs on the stamps of all of them.
        {%- for instant in instants %}
        {{ stamp_word(instant ~ '_stamp_weight') }} as {{ instant }}_stamp_code,
        {%- endfor %}
        {{ stamp_word('first_bh_capable_on_scene_stamp_weight') }} as first_bh_capable_on_scene_stamp_code,
        -- A unit of which too little is known may have been one: silence is not a no.
        case
            when bh_capable_arrived_count > 0 then 'yes'
            when perhaps_bh_capable_count > 0 then 'unknown'
            else 'no'
        end as bh_capable_arrived,
        case when is_mixed then 'mixed' else response_scope_code end as response_scope_code,
        case when is_by_unit then row_count end as unit_count,
        case when is_by_unit then arrived_count end as arrived_unit_count,
        case when is_by_unit then task_count end as task_valid_unit_count,
        cast(case when is_by_unit and task_count = row_count then task_seconds end as bigint) as unit_seconds,
        cast(case when is_by_unit and officer_known_count = row_count then officer_seconds end as bigint)
            as officer_seconds,
        cast(case when is_by_unit and clinician_known_count = row_count then clinician_seconds end as bigint)
            as clinician_seconds
    from scoped
)

select * from final
