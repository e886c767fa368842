-- Grain: one row per agency and contact form.
{%- set hours_after_call = range(-1, 7) %}
{%- set evidence = ['near_arrival', 'beat', 'unit', 'call_type_initial', 'call_type_final', 'call_source'] %}
with contact as (
    select * from {{ ref('stg_contact') }} as contact
    where {{ in_window('contact') }}
),

incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident', lookback_months=1) }}
),

unit_response as (
    select * from {{ ref('stg_unit_response') }} as unit_response
    where {{ in_window('unit_response', lookback_months=1) }}
),

weight as (
    select
        {{ weight_columns(evidence) }}
    from {{ ref('contact_incident_weight') }}
),

-- A mistyped number names another call: it counts where the times allow it, and beat or call type does not deny it.
-- A contact dated to midnight tells the day only.
named as (
    select
        contact.agency_id,
        contact.contact_id,
        contact.month,
        incident.incident_id,
        coalesce(
            {{ seconds_between('incident.received_at', 'coalesce(contact.occurred_at, contact.reported_at)') }}
            between case
                when {{ is_midnight('contact.occurred_local_at') }} then {{ dated_contact_earliest_seconds() }}
                else {{ contact_earliest_seconds() }}
            end and {{ numbered_contact_latest_seconds() }},
            true
        )
        and coalesce(
            contact.beat = incident.beat
            or contact.call_type_initial_local = incident.call_type_initial_local,
            true
        ) as is_believed
    from contact
    inner join incident
        on
            contact.agency_id = incident.agency_id
            and contact.incident_id = incident.incident_id
    where
        contact.incident_number is not null
        and {{ months_near('contact', 'incident', lookback_months=1) }}
),

numbered as (
    select * from named
    where is_believed
),

-- What the score can decide: contacts at a call whose number is not there or not believed.
searching as (
    select
        contact.agency_id,
        contact.contact_id,
        contact.month,
        contact.occurred_at,
        contact.beat,
        contact.unit_number,
        contact.call_type_initial_local,
        contact.call_type_final_local,
        contact.call_source_local,
        {{ epoch_hour('contact.occurred_at') }} as epoch_hour
    from contact
    left join numbered
        on
            contact.agency_id = numbered.agency_id
            and contact.contact_id = numbered.contact_id
    where
        numbered.contact_id is null
        and contact.occurred_at is not null
        and contact.contact_reason_code <> 'outreach'
),

hours as (
    {{ numbers_listed(hours_after_call, 'hours_after_call') }}
),

-- A contact in every hour in which its call may have come in: from half an hour after it to six hours before it.
searching_hour as (
    select
        searching.agency_id,
        searching.contact_id,
        searching.month,
        searching.beat,
        searching.call_type_initial_local,
        searching.epoch_hour - hours.hours_after_call as epoch_hour
    from searching
    cross join hours
),

call as (
    select
        incident.agency_id,
        incident.incident_id,
        incident.month,
        incident.beat,
        incident.call_type_initial_local,
        {{ epoch_hour('incident.received_at') }} as epoch_hour
    from incident
    where
        incident.received_at is not null
        and incident.duplicate <> 'yes'
),

-- Pairs of one hour that share a beat, a call type or a unit; all others would fall short of the threshold.
pair as (
    select
        searching_hour.contact_id,
        call.incident_id
    from searching_hour
    inner join call
        on
            searching_hour.agency_id = call.agency_id
            and searching_hour.epoch_hour = call.epoch_hour
            and searching_hour.beat = call.beat
    where {{ months_near('searching_hour', 'call', lookback_months=1) }}
    union distinct
    select
        searching_hour.contact_id,
        call.incident_id
    from searching_hour
    inner join call
        on
            searching_hour.agency_id = call.agency_id
            and searching_hour.epoch_hour = call.epoch_hour
            and searching_hour.call_type_initial_local = call.call_type_initial_local
    where {{ months_near('searching_hour', 'call', lookback_months=1) }}
    union distinct
    select
        searching.contact_id,
        call.incident_id
    from searching
    inner join unit_response
        on
            searching.agency_id = unit_response.agency_id
            and searching.unit_number = unit_response.unit_number
    inner join call
        on
            unit_response.agency_id = call.agency_id
            and unit_response.incident_id = call.incident_id
            and searching.epoch_hour - call.epoch_hour between {{ hours_after_call[0] }} and {{ hours_after_call[-1] }}
    where {{ months_near('searching', 'call', lookback_months=1) }}
),

candidate as (
    select distinct incident_id from pair
),

candidate_unit as (
    select
        unit_response.incident_id,
        unit_response.unit_number,
        min(unit_response.on_scene_at) as on_scene_at
    from unit_response
    inner join candidate
        on unit_response.incident_id = candidate.incident_id
    group by unit_response.incident_id, unit_response.unit_number
),

candidate_arrival as (
    select
        incident_id,
        min(on_scene_at) as on_scene_at,
        count(unit_number) > 0 as has_units
    from candidate_unit
    group by incident_id
),

-- A call that a form of the month names is taken.
compared as (
    select
        searching.*,
        incident.incident_id,
        {{ seconds_between('incident.received_at', 'searching.occurred_at') }} as seconds_after_call,
        {{ seconds_between('coalesce(candidate_arrival.on_scene_at, incident.received_at)', 'searching.occurred_at') }}
            as seconds_after_arrival,
        incident.beat as call_beat,
        incident.call_type_initial_local as call_call_type_initial_local,
        incident.call_type_final_local as call_call_type_final_local,
        incident.call_source_local as call_call_source_local,
        candidate_unit.unit_number is not null as is_unit_of_call,
        coalesce(candidate_arrival.has_units, false) as has_units
    from pair
    inner join searching
        on pair.contact_id = searching.contact_id
    inner join incident
        on pair.incident_id = incident.incident_id
    left join candidate_arrival
        on pair.incident_id = candidate_arrival.incident_id
    left join candidate_unit
        on
            pair.incident_id = candidate_unit.incident_id
            and searching.unit_number = candidate_unit.unit_number
    left join numbered
        on
            pair.incident_id = numbered.incident_id
            and searching.month = numbered.month
    where
        numbered.incident_id is null
        and searching.agency_id = incident.agency_id
),

scored as (
    select
        compared.agency_id,
        compared.contact_id,
        compared.month,
        compared.incident_id,
        compared.seconds_after_arrival,
        case
            when abs(compared.seconds_after_arrival) <= {{ near_arrival_seconds() }} then weight.near_arrival_agree
            else weight.near_arrival_disagree
        end
        + {{ evidence_weight('weight.beat', 'compared.beat', 'compared.call_beat') }}
        + case
            when compared.unit_number is null or not compared.has_units then 0
            when compared.is_unit_of_call then weight.unit_agree
            else weight.unit_disagree
        end
        {%- for field in ['call_type_initial', 'call_type_final', 'call_source'] %}
        + {{ evidence_weight('weight.' ~ field, 'compared.' ~ field ~ '_local', 'compared.call_' ~ field ~ '_local') }}
        {%- endfor %} as score
    from compared
    cross join weight
    where compared.seconds_after_call between {{ contact_earliest_seconds() }} and {{ scored_contact_latest_seconds() }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by contact_id
            order by score desc, abs(seconds_after_arrival) asc, incident_id asc
        ) as contact_place,
        row_number() over (
            partition by incident_id, month
            order by score desc, abs(seconds_after_arrival) asc, contact_id asc
        ) as incident_place,
        count(*) over (partition by contact_id) as candidate_count
    from scored
),

rivaled as (
    select
        *,
        lead(score) over (partition by contact_id order by contact_place) as next_of_contact,
        lead(score) over (partition by incident_id, month order by incident_place) as next_of_incident
    from ranked
),

-- A pair is taken if it is the best of both its sides by a margin; so a call goes to one contact only.
best as (
    select
        contact_id,
        incident_id,
        score,
        candidate_count,
        case
            when next_of_contact > next_of_incident or next_of_incident is null then next_of_contact
            else next_of_incident
        end as rival_score,
        score >= {{ contact_link_threshold() }}
        and incident_place = 1
        and coalesce(score - next_of_contact >= {{ contact_link_margin() }}, true)
        and coalesce(score - next_of_incident >= {{ contact_link_margin() }}, true) as is_accepted
    from rivaled
    where contact_place = 1
),

final as (
    select
        contact.agency_id,
        contact.contact_id,
        contact.month,
        case
            when numbered.contact_id is not null then numbered.incident_id
            when best.is_accepted then best.incident_id
        end as incident_id,
        case
            when numbered.contact_id is not null then 'number'
            when best.is_accepted then 'score'
            when contact.contact_reason_code = 'outreach' and contact.incident_number is null then 'not_applicable'
            else 'none'
        end as link_method_code,
        case
            when numbered.contact_id is not null or coalesce(best.is_accepted, false) then 'linked'
            when contact.contact_reason_code = 'outreach' and contact.incident_number is null then 'without_call'
            when named.contact_id is not null then 'number_not_believed'
            when contact.incident_number is not null and best.contact_id is null then 'number_unknown'
            when contact.occurred_at is null then 'no_time'
            when best.contact_id is null then 'no_candidate'
            when best.score < {{ contact_link_threshold() }} then 'score_too_low'
            else 'several_as_likely'
        end as link_reason_code,
        best.score as link_score,
        best.rival_score,
        coalesce(best.candidate_count, 0) as candidate_count
    from contact
    left join named
        on
            contact.agency_id = named.agency_id
            and contact.contact_id = named.contact_id
    left join numbered
        on
            contact.agency_id = numbered.agency_id
            and contact.contact_id = numbered.contact_id
    left join best
        on contact.contact_id = best.contact_id
)

select * from final
