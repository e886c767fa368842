-- Makes the five tables of diversion: funnel of eligible calls, police at team calls, points, jail diversion, modelled.

-- Units, by kind: 1 co-response, 4 mobile crisis, 16 a team without police, 64 not known, 0 police. Of a call these add
-- up as bits; a team that came is twice its kind, and police that came are 128.
create or replace temp view sent_unit as
select
    agency_id,
    month,
    incident_id,
    on_scene_at,
    case response_model_code
        when 'co_response_ride_along' then 1
        when 'co_response_separate' then 1
        when 'co_response_telehealth' then 1
        when 'mobile_crisis' then 4
        when 'alternative_no_police' then 16
        when 'police_only' then 0
        when 'cit_police' then 0
        else case
            when
                response_model_code in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable')
                then 64
            else 0
        end
    end as kind,
    coalesce(
        response_model_code in (
            'police_only', 'cit_police', 'co_response_ride_along', 'co_response_separate', 'co_response_telehealth'
        )
        or unit_type_code in ('patrol', 'cit_patrol', 'co_responder', 'supervisor', 'k9')
        or officer_count > 0,
        false
    ) as is_police,
    cancelled_at is null as is_not_cancelled
from warehouse.marts.fct_unit_response;

create or replace temp table met_team as
select
    'any_team' as team_code,
    21 as sent,
    42 as arrived
union all values ('co_response', 1, 2), ('mobile_crisis', 4, 8), ('alternative_no_police', 16, 32);

create table met_diversion__funnel_by_slice as
with call as (
    select
        agency_id,
        month,
        incident_id,
        hour(received_local_at) as hour,
        beat,
        ineligible_reason_code as reason,
        case when program_eligible in ('yes', 'no') then program_eligible else 'unknown' end as program,
        case when bh_call_type_initial in ('yes', 'no') then bh_call_type_initial else 'unknown' end as call_type
    from warehouse.marts.fct_incident
    where exclusion_code = 'none'
),

eligible as materialized (
    select * from call
    where program = 'yes' or call_type = 'yes'
),

units as (
    select
        incident_id,
        bit_or(
            case when kind = 64 or on_scene_at is null then kind else kind * 3 end
            + case when is_police and on_scene_at is not null then 128 else 0 end
        ) as bits
    from sent_unit
    semi join eligible using (incident_id)
    group by incident_id
),

-- Forms of a call as bits, by team: 1 wrote, 2 met the person; a service shifts both to the bits from 64 on.
forms as (
    select
        linked_incident_id as incident_id,
        bit_or(
            team.sent
            * case
                when primary_disposition_code in (
                    'unable_to_contact', 'gone_on_arrival', 'unfounded', 'cancelled', 'duplicate'
                ) then 1
                when
                    service_code in ('referral_made', 'provider_notified', 'mobile_crisis_handoff', 'phone_line')
                    or destination_code in (
                        'ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'crisis_facility', 'sobering',
                        'clinic', 'shelter'
                    ) then 67
                else 3
            end
        ) as bits
    from warehouse.marts.fct_contact as contact
    inner join met_team as team
        on team.team_code = case
            when contact.response_model_code like 'co_response_%' then 'co_response'
            else contact.response_model_code
        end
    group by linked_incident_id
),

cell as (
    select
        agency_id,
        month,
        hour,
        beat,
        reason,
        program,
        call_type,
        units.bits as unit_bits,
        coalesce(forms.bits, 0) as form_bits,
        count(*) as calls
    from eligible
    left join units using (incident_id)
    left join forms using (incident_id)
    group by all
    union all
    select
        agency_id,
        month,
        hour,
        beat,
        reason,
        program,
        call_type,
        0,
        0,
        count(*) as calls
    from call
    where program <> 'yes' and call_type <> 'yes'
    group by all
),

sliced as (
    select
        agency_id,
        month,
        slice.slice_code,
        slice.slice_value,
        program,
        call_type,
        unit_bits,
        form_bits,
        sum(calls) as calls
    from (
        select
            *,
            unnest([
                {'slice_code': 'all', 'slice_value': 'all'},
                {'slice_code': 'hour_of_day', 'slice_value': coalesce(lpad(hour::varchar, 2, '0'), 'not_recorded')},
                {'slice_code': 'beat', 'slice_value': coalesce(beat, 'not_recorded')},
                {'slice_code': 'reason', 'slice_value': coalesce(reason, 'not_recorded')}
            ]) as slice
        from cell
    )
    group by all
),

asked as (
    select
        sliced.*,
        unnest(['program', 'call_type_initial']) as identification_method_code,
        unnest([program, call_type]) as answer
    from sliced
)

select
    agency_id,
    month,
    identification_method_code,
    team.team_code,
    slice_code,
    slice_value,
    sum(calls)::bigint as considered_count,
    coalesce(sum(calls) filter (answer = 'no'), 0)::bigint as not_eligible_count,
    coalesce(sum(calls) filter (answer = 'unknown'), 0)::bigint as eligibility_unknown_count,
    coalesce(sum(calls) filter (answer = 'yes'), 0)::bigint as eligible_count,
    coalesce(sum(calls) filter (answer = 'yes' and (coalesce(unit_bits, 0) | form_bits) & team.sent > 0), 0)::bigint
        as sent_count,
    coalesce(
        sum(calls) filter (answer = 'yes' and (coalesce(unit_bits, 0) & team.arrived) | (form_bits & team.sent) > 0), 0
    )::bigint as arrived_count,
    coalesce(sum(calls) filter (answer = 'yes' and form_bits & team.arrived > 0), 0)::bigint as engaged_count,
    coalesce(sum(calls) filter (answer = 'yes' and form_bits & (team.sent * 64) > 0), 0)::bigint as served_count,
    coalesce(sum(calls) filter (
        answer = 'yes' and unit_bits & 128 > 0 and (unit_bits & (64 | team.sent)) | (form_bits & team.sent) = 0
    ), 0)::bigint as police_without_team_count,
    coalesce(sum(calls) filter (answer = 'yes' and unit_bits is null), 0)::bigint as no_unit_count
from asked
cross join met_team as team
group by all;

create table met_diversion__police_at_team_calls as
with team_unit as materialized (
    select
        incident_id,
        min(on_scene_at) filter (kind = 4) as mobile_crisis_at,
        min(on_scene_at) filter (kind = 16) as alternative_no_police_at
    from sent_unit
    where kind in (4, 16) and not is_police and on_scene_at is not null
    group by incident_id
),

police as (
    select
        incident_id,
        min(on_scene_at) as police_at,
        count(*) filter (on_scene_at is null and is_not_cancelled) as police_unknown_count
    from sent_unit
    semi join team_unit using (incident_id)
    where is_police
    group by incident_id
),

call as (
    select
        incident.agency_id,
        incident.month,
        team_unit.*,
        police.police_at,
        coalesce(police.police_unknown_count, 0) > 0 as is_police_unknown
    from team_unit
    inner join warehouse.marts.fct_incident as incident using (incident_id)
    left join police using (incident_id)
    where coalesce(incident.exclusion_code <> 'duplicate', true)
),

met as (
    select
        *,
        unnest(['all_teams', 'mobile_crisis', 'alternative_no_police']) as team_code,
        unnest([
            least(mobile_crisis_at, alternative_no_police_at), mobile_crisis_at, alternative_no_police_at
        ]) as team_at
    from call
),

counted as (
    select
        agency_id,
        month,
        team_code,
        count(*) as calls,
        count(*) filter (police_at < team_at) as police_first,
        count(*) filter (police_at is null and is_police_unknown) as unknown,
        count(*) filter (police_at >= team_at) as backup,
        count(*) filter (police_at is null and not is_police_unknown) as alone
    from met
    where team_at is not null
    group by all
),

told as (
    select
        months.*,
        unnest(['M29', 'M30']) as metric_id,
        teams.team_code
    from (select distinct agency_id, month from sent_unit) as months
    cross join (values ('all_teams'), ('mobile_crisis'), ('alternative_no_police')) as teams (team_code)
)

select
    agency_id,
    month,
    metric_id,
    team_code,
    coalesce(calls, 0) as considered_count,
    case metric_id when 'M29' then coalesce(police_first, 0) else 0 end as police_first_count,
    coalesce(unknown, 0) as unknown_count,
    coalesce(calls - unknown - case metric_id when 'M29' then police_first else 0 end, 0) as denominator_count,
    coalesce(case metric_id when 'M29' then backup else alone end, 0) as outcome_count,
    case when denominator_count > 0 then round(outcome_count / denominator_count, 6) end as outcome_share
from told
left join counted using (agency_id, month, team_code);

-- At each point: is the record eligible (null: not known), and was the person kept out (null: not known).
create table met_diversion__point as
with contact as (
    select
        agency_id,
        month,
        arrestable_offense as offense,
        officer_discretion_basis_code as basis,
        enforcement_code as enforcement,
        ed_transport_indicated as ed,
        destination_code as destination,
        legal_hold_code as hold
    from warehouse.marts.fct_contact
),

asked as (
    select
        agency_id,
        month,
        unnest(['M17b', 'M17c', 'M20', 'M20b']) as metric_id,
        unnest([
            case
                when offense = 'no' or basis in ('warrant', 'mandatory_arrest') then false
                when offense = 'yes' and coalesce(basis not in (
                    'no_pc', 'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                ), true) then true
            end,
            case
                when enforcement = 'none' or basis in ('warrant', 'mandatory_arrest') then false
                when enforcement in ('cited', 'arrested_unspecified', 'booked') then true
            end,
            case ed when 'yes' then true when 'no' then false end,
            case hold when 'voluntary' then true when 'involuntary' then true when 'none' then false end
        ]) as eligible,
        unnest([
            case enforcement
                when 'none' then true
                when 'cited' then false
                when 'arrested_unspecified' then false
                when 'booked' then false
            end,
            case enforcement when 'cited' then true when 'booked' then false end,
            case
                when destination in ('ed', 'psychiatric_ed') then false
                when coalesce(destination not in (
                    'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                ), true) then true
            end,
            coalesce(hold = 'voluntary', false)
        ]) as diverted
    from contact
    union all
    select
        agency_id,
        month,
        'M17d',
        not coalesce(warrant_only = 'yes' or release_type_code in ('in_custody', 'deceased'), false),
        case
            when release_type_code = 'diverted' then true
            when release_type_code not in (
                'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
            ) then false
        end
    from warehouse.marts.fct_jail_booking
    union all
    select
        agency_id,
        month,
        'M17e',
        case
            when court_outcome_code = 'pending' then false
            when court_outcome_code not in (
                'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
            ) then true
        end,
        coalesce(court_outcome_code = 'diverted', false)
    from warehouse.staging.stg_court_event
)

select
    agency_id,
    month,
    metric_id,
    case metric_id
        when 'M17b' then 'before_arrest'
        when 'M17c' then 'from_booking'
        when 'M17d' then 'from_jail'
        when 'M17e' then 'from_court'
        when 'M20' then 'from_ed'
        else 'from_hold'
    end as point_code,
    count(*) as considered_count,
    count(*) filter (not eligible) as not_eligible_count,
    count(*) filter (eligible is null) as eligibility_unknown_count,
    count(*) filter (eligible) as eligible_count,
    count(*) filter (eligible and diverted is null) as unknown_count,
    count(diverted) filter (eligible) as denominator_count,
    count(*) filter (eligible and diverted) as diverted_count,
    round(eligibility_unknown_count / considered_count, 6) as eligibility_unknown_share,
    case when denominator_count > 0 then round(diverted_count / denominator_count, 6) end as diverted_share
from asked
group by agency_id, month, metric_id;

create table met_diversion__jail_diversion as
with classed as (
    select
        agency_id,
        month,
        enforcement_code,
        case
            when arrestable_offense = 'no' then 'no_offense'
            when arrestable_offense <> 'yes' then 'offense_unknown'
            when officer_discretion_basis_code in ('warrant', 'mandatory_arrest') then 'no_discretion'
            when
                officer_discretion_basis_code in (
                    'no_pc', 'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                )
                then 'discretion_unknown'
            else 'eligible'
        end as class
    from warehouse.marts.fct_contact
)

select
    agency_id,
    month,
    count(*) as considered_count,
    count(*) filter (class = 'no_offense') as arrestable_offense_no_count,
    count(*) filter (class = 'offense_unknown') as arrestable_offense_unknown_count,
    count(*) filter (class = 'no_discretion') as no_discretion_count,
    count(*) filter (class = 'discretion_unknown') as discretion_unknown_count,
    count(*) filter (class = 'eligible') as eligible_count,
    count(*) filter (class = 'eligible' and enforcement_code = 'booked') as booked_count,
    count(*) filter (class = 'eligible' and enforcement_code in ('booked', 'cited', 'none')) as denominator_count,
    eligible_count - denominator_count as booking_unknown_count,
    denominator_count - booked_count as not_booked_count,
    round(arrestable_offense_unknown_count / considered_count, 6) as arrestable_offense_unknown_share,
    case when denominator_count > 0 then round(not_booked_count / denominator_count, 6) end as jail_diversion_share
from classed
group by agency_id, month;

-- What the police-only share of a stratum (call type, six hours of the day) would have given, over twelve months.
create table met_diversion__modelled as
with by_month as materialized (
    select
        agency_id,
        substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int as month_number,
        coalesce(call_type_initial_code, 'not_recorded') as call_type,
        hour(occurred_local_at) // 6 as hour_block,
        response_model_code,
        count(*) as contacts,
        count(*) filter (enforcement_code in ('booked', 'arrested_unspecified')) as arrested,
        count(*) filter (enforcement_code in ('booked', 'arrested_unspecified', 'cited', 'none')) as arrested_known,
        count(*) filter (legal_hold_code = 'involuntary') as held,
        count(*) filter (legal_hold_code in ('involuntary', 'voluntary', 'none')) as held_known,
        count(*) filter (destination_code in ('ed', 'psychiatric_ed')) as ed,
        count(*) filter (destination_code not in (
            'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
        )) as ed_known
    from warehouse.marts.fct_contact
    where
        month <> 'unknown'
        and response_model_code not in (
            'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable', 'follow_up_outreach'
        )
    group by all
),

cohort as (
    select distinct
        agency_id,
        month,
        substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int as month_number
    from warehouse.marts.fct_contact
    where month <> 'unknown'
),

summed as (
    select
        cohort.agency_id,
        cohort.month,
        call_type,
        hour_block,
        response_model_code,
        sum(contacts) as contacts,
        sum(arrested)::double as arrested,
        sum(arrested_known)::double as arrested_known,
        sum(held)::double as held,
        sum(held_known)::double as held_known,
        sum(ed)::double as ed,
        sum(ed_known)::double as ed_known
    from by_month
    inner join cohort
        on
            by_month.agency_id = cohort.agency_id
            and by_month.month_number between cohort.month_number - 11 and cohort.month_number
    group by all
),

cell as (
    select
        summed.*,
        unnest(['arrested', 'involuntary_hold', 'taken_to_ed']) as outcome_code,
        unnest([arrested, held, ed]) as yes,
        unnest([arrested_known, held_known, ed_known]) as known
    from summed
),

-- The stratum's police-only contacts stand beside each of its cells.
matched as (
    select
        *,
        sum(known) filter (response_model_code = 'police_only') over stratum as base_known,
        sum(yes) filter (response_model_code = 'police_only') over stratum / base_known as base_share,
        coalesce(base_known > 0 and known > 0, false) as is_matched,
        known * base_share as modelled,
        known * known * base_share * (1 - base_share) / base_known + yes * (1 - yes / known) as variance
    from cell
    window stratum as (partition by agency_id, month, call_type, hour_block, outcome_code)
),

final as (
    select
        agency_id,
        month,
        outcome_code,
        response_model_code,
        sum(contacts)::bigint as considered_count,
        sum(contacts - known)::bigint as unknown_count,
        coalesce(sum(known) filter (not is_matched), 0)::bigint as unmatched_count,
        coalesce(sum(known) filter (is_matched), 0)::bigint as denominator_count,
        coalesce(sum(base_known) filter (is_matched), 0)::bigint as baseline_count,
        coalesce(sum(yes) filter (is_matched), 0)::bigint as observed_count,
        sum(modelled) filter (is_matched) as modelled,
        1.959964 * sqrt(sum(variance) filter (is_matched)) as margin
    from matched
    where response_model_code <> 'police_only'
    group by agency_id, month, outcome_code, response_model_code
)

select
    * exclude (modelled, margin),
    round(modelled, 4) as modelled_events,
    round(modelled - observed_count, 4) as modelled_averted_events,
    round(modelled - observed_count - margin, 4) as modelled_averted_low_events,
    round(modelled - observed_count + margin, 4) as modelled_averted_high_events
from final;
