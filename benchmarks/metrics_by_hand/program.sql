-- Makes the five tables of the program: hours fit, later harm, override, position and roster.

create table met_program__hours_fit as
with program as (
    select distinct
        agency_id,
        program_id,
        program_number,
        program_model_code in (
            'ride_along', 'ride_separate', 'telephone_or_telehealth', 'alternative_no_police', 'mobile_crisis'
        ) as is_team,
        hours_basis_code = 'empty' as is_always_open,
        '|' || catchment_geoids || '|' as catchment,
        geography_level_code as level,
        start_date,
        end_date,
        strftime(start_date, '%Y-%m') as start_month,
        strftime(end_date, '%Y-%m') as end_month
    from warehouse.marts.dim_program_hour
),

-- The day of a call matters only in months in which a program starts or ends after or before other days.
edge as (
    select
        agency_id,
        start_month as month
    from program
    where day(start_date) > 1
    union
    select
        agency_id,
        end_month
    from program
    where end_date < last_day(end_date)
),

tally as (
    select
        agency_id,
        month,
        case when (agency_id, month) in (from edge) then received_local_at::date end as edge_date,
        isodow(received_local_at) * 24 + hour(received_local_at) as week_hour,
        beat,
        sector,
        precinct,
        tract_geoid,
        zip5,
        neighborhood,
        count(*) as calls,
        count(*) filter (bh_call_type_initial = 'yes') as call_type_initial,
        count(*) filter (bh_call_type_final = 'yes') as call_type_final,
        count(*) filter (bh_field_form = 'yes') as field_form
    from warehouse.marts.fct_incident
    where exclusion_code = 'none'
    group by all
),

numbered as materialized (
    select
        *,
        row_number() over () as tally_number,
        coalesce(week_hour // 24 || '_' || lpad((week_hour % 24)::varchar, 2, '0'), 'not_recorded') as hour_of_week
    from tally
),

asked as (
    select
        tally_number,
        program.program_number,
        is_team,
        case
            when program.start_date > edge_date or program.end_date < edge_date then 'no'
            when program.start_date is null or week_hour is null then 'unknown'
            else 'yes'
        end as running,
        case when is_always_open then 'yes' else coalesce(program_hour.program_open, 'unknown') end as open,
        case level
            when 'beat' then beat
            when 'sector' then sector
            when 'precinct' then precinct
            when 'tract' then tract_geoid
            when 'zip5' then zip5
            when 'neighborhood' then neighborhood
        end as area,
        case
            when catchment is null then 'yes'
            when area is null then 'unknown'
            when contains(catchment, '|' || area || '|') then 'yes'
            else 'no'
        end as served
    from numbered
    inner join program
        on
            numbered.agency_id = program.agency_id
            and coalesce(program.start_month <= numbered.month, true)
            and coalesce(program.end_month >= numbered.month, true)
    left join warehouse.marts.dim_program_hour as program_hour
        on
            program.program_id = program_hour.program_id
            and numbered.hour_of_week = program_hour.hour_of_week
),

-- Places by nearness: 1 inside, 2 unknown, 3 outside hours, 4 outside area, 5 outside both, 6 not running.
placed as materialized (
    select
        tally_number,
        program_number,
        is_team,
        case
            when running = 'no' then 6
            when open = 'no' and served = 'no' then 5
            when open = 'no' then 3
            when served = 'no' then 4
            when running = 'unknown' or open = 'unknown' or served = 'unknown' then 2
            else 1
        end as place
    from asked
),

either as (
    select
        tally_number,
        program_number,
        place
    from placed
    union all
    select
        tally_number,
        'any_team',
        min(place)
    from placed
    where is_team
    group by tally_number
),

summed as (
    select
        agency_id,
        month,
        program_number,
        grouping(hour_of_week, beat) as slice,
        hour_of_week,
        beat,
        place,
        sum(calls) as calls,
        sum(call_type_initial) as call_type_initial,
        sum(call_type_final) as call_type_final,
        sum(field_form) as field_form
    from (
        select
            numbered.* replace (coalesce(beat, 'not_recorded') as beat),
            program_number,
            place
        from numbered
        inner join either using (tally_number)
    )
    group by grouping sets (
        (agency_id, month, program_number, place),
        (agency_id, month, program_number, place, hour_of_week),
        (agency_id, month, program_number, place, beat)
    )
),

by_method as (
    select
        * exclude (calls),
        unnest(['not_applicable', 'call_type_initial', 'call_type_final', 'field_form'])
            as identification_method_code,
        unnest([calls, call_type_initial, call_type_final, field_form]) as calls
    from summed
)

select
    agency_id,
    month,
    identification_method_code,
    program_number,
    case slice when 1 then 'hour_of_week' when 2 then 'beat' else 'all' end as slice_code,
    coalesce(hour_of_week, beat, 'all') as slice_value,
    sum(calls)::bigint as considered_count,
    coalesce(sum(calls) filter (place = 6), 0)::bigint as not_running_count,
    coalesce(sum(calls) filter (place = 2), 0)::bigint as unknown_count,
    considered_count - not_running_count - unknown_count as denominator_count,
    coalesce(sum(calls) filter (place = 1), 0)::bigint as inside_count,
    coalesce(sum(calls) filter (place = 3), 0)::bigint as outside_hours_count,
    coalesce(sum(calls) filter (place = 4), 0)::bigint as outside_area_count,
    coalesce(sum(calls) filter (place = 5), 0)::bigint as outside_both_count,
    case when denominator_count > 0 then round(inside_count / denominator_count, 6) end as inside_share
from by_method
group by all
having sum(calls) > 0;

create table met_program__later_harm as
with contact as (
    select
        agency_id,
        month,
        contact_id,
        linked_incident_id as incident_id,
        response_model_code as response_model,
        enforcement_code in ('booked', 'arrested_unspecified') or legal_hold_code = 'involuntary' as is_taken,
        coalesce(person_role_code in ('caller', 'victim', 'witness', 'family'), false) as is_other_role,
        injury = 'yes' as is_injured,
        coalesce(force_used = 'yes', false) or (contact_id, month) in (
            select (contact_id, month) from warehouse.staging.stg_force_event
            where force_used = 'yes' and contact_id is not null
        ) as is_force
    from warehouse.marts.fct_contact
),

-- Police at calls that a team without police wrote a form on; only calls with a form can be.
police_there as (
    select distinct incident_id
    from warehouse.marts.fct_unit_response
    where
        on_scene_at is not null
        and bh_field_form = 'yes'
        and (
            response_model_code in (
                'police_only', 'cit_police', 'co_response_ride_along', 'co_response_separate', 'co_response_telehealth'
            )
            or unit_type_code in ('patrol', 'cit_patrol', 'co_responder', 'supervisor', 'k9')
            or officer_count > 0
        )
        and incident_id in (
            select incident_id from contact where response_model in ('mobile_crisis', 'alternative_no_police')
        )
),

met as materialized (
    select
        contact.agency_id,
        contact.month,
        contact.contact_id,
        contact.is_other_role,
        contact.is_taken,
        contact.is_injured,
        contact.is_force,
        case
            when contact.response_model in ('police_only', 'cit_police') then 'police_only'
            when contact.response_model like 'co_response_%' then 'team_with_police'
            when contact.response_model not in ('mobile_crisis', 'alternative_no_police') then null
            when police_there.incident_id is null then 'no_police'
            else 'team_with_police'
        end as response_group_code,
        event.person_key,
        event.started_at,
        event.enforcement_code in ('booked', 'arrested_unspecified') as is_arrested,
        event.legal_hold_code = 'involuntary' as is_held,
        coalesce(event.incident_id, contact.contact_id) as encounter_id
    from contact
    left join (
        select
            record_id,
            person_key,
            started_at,
            incident_id,
            enforcement_code,
            legal_hold_code
        from warehouse.marts.fct_person_event
        where event_kind_code = 'contact'
    ) as event on contact.contact_id = event.record_id
    left join police_there on contact.incident_id = police_there.incident_id
),

booking as materialized (
    select
        person_key,
        started_at,
        coalesce(ended_at, timestamptz '9999-01-01 00:00:00+00') as ended_at,
        coalesce(incident_id, record_id) as encounter_id
    from warehouse.marts.fct_person_event
    where event_kind_code = 'booking'
),

-- Forms of one call are one encounter; its first form stands for it.
encounter as materialized (
    select distinct on (person_key, encounter_id)
        person_key,
        encounter_id,
        agency_id,
        contact_id,
        started_at
    from met
    where person_key is not null and not is_other_role and not is_taken and response_group_code is not null
    order by started_at, contact_id
),

harm as (
    select
        person_key,
        started_at,
        encounter_id,
        is_arrested,
        is_held,
        is_force,
        is_injured
    from met
    where is_arrested or is_held or is_force or is_injured
    union all
    select
        person_key,
        started_at,
        encounter_id,
        true,
        false,
        false,
        false
    from booking
),

first_harm as (
    select
        encounter.contact_id,
        min(harm.started_at) filter (harm.is_arrested) as arrested_at,
        min(harm.started_at) filter (harm.is_held) as held_at,
        min(harm.started_at) filter (harm.is_force) as force_at,
        min(harm.started_at) filter (harm.is_injured) as injured_at
    from encounter
    inner join harm
        on
            encounter.person_key = harm.person_key
            and encounter.started_at < harm.started_at
            and encounter.encounter_id <> harm.encounter_id
    group by encounter.contact_id
),

died as (
    select
        record.person_key,
        min(death.death_date::timestamptz) as died_at
    from warehouse.staging.stg_death as death
    inner join warehouse.marts.bridge_person_record as record on death.death_id = record.record_id
    where record.entity = 'death' and record.role_code = 'subject' and record.person_key is not null
    group by record.person_key
),

-- Time in jail: stays that touch are one.
jail as (
    select
        person_key,
        min(started_at) as started_at,
        max(ended_at) as ended_at
    from (
        select
            *,
            sum(is_new) over (partition by person_key order by started_at, ended_at rows unbounded preceding) as stay
        from (
            select
                *,
                coalesce(started_at > max(ended_at) over (
                    partition by person_key order by started_at, ended_at
                    rows between unbounded preceding and 1 preceding
                ), true)::int as is_new
            from booking
        )
    )
    group by person_key, stay
),

last_known as (
    select
        agency_id,
        max(started_at) as last_at
    from met
    group by agency_id
),

-- One row an encounter and end that it may have: the outcome, death, or the end of what is known.
ended as (
    select
        encounter.contact_id,
        encounter.person_key,
        encounter.started_at,
        unnest(['arrested', 'held', 'force', 'injured', 'died', 'last']) as end_code,
        unnest([arrested_at, held_at, force_at, injured_at, died_at, last_at]) as end_at
    from encounter
    inner join last_known using (agency_id)
    left join first_harm using (contact_id)
    left join died on encounter.person_key = died.person_key
),

jailed as (
    select
        ended.contact_id,
        ended.end_code,
        sum(greatest(
            0,
            epoch_us(least(jail.ended_at, ended.end_at)) // 1000000
            - epoch_us(greatest(jail.started_at, ended.started_at)) // 1000000
        )) as jail_seconds
    from ended
    inner join jail
        on
            ended.person_key = jail.person_key
            and ended.started_at < jail.ended_at
            and ended.end_at > jail.started_at
    group by all
),

-- Seconds at liberty to each end. More than thirty days tell no more than thirty.
at_liberty as (
    select
        contact_id,
        min(seconds) filter (end_code = 'arrested' and seconds <= 30 * 86400) as arrested,
        min(seconds) filter (end_code = 'held' and seconds <= 30 * 86400) as held,
        min(seconds) filter (end_code = 'force' and seconds <= 30 * 86400) as force,
        min(seconds) filter (end_code = 'injured' and seconds <= 30 * 86400) as injured,
        min(seconds) filter (end_code = 'died' and seconds <= 30 * 86400) as died,
        least(min(seconds) filter (end_code = 'last'), 30 * 86400) as last
    from (
        select
            ended.contact_id,
            ended.end_code,
            epoch_us(ended.end_at) // 1000000 - epoch_us(ended.started_at) // 1000000
            - coalesce(jailed.jail_seconds, 0) as seconds
        from ended
        left join jailed using (contact_id, end_code)
        where ended.end_at is not null
    )
    group by contact_id
),

alike as (
    select
        met.agency_id,
        met.month,
        met.response_group_code,
        case
            when met.is_other_role then 'other_role'
            when met.is_taken then 'taken'
            when met.person_key is null then 'not_linked'
            when at_liberty.contact_id is null then 'same_call'
        end as class,
        at_liberty.* exclude (contact_id),
        count(*) as contacts
    from met
    left join at_liberty using (contact_id)
    where met.response_group_code is not null
    group by all
),

asked as (
    select
        agency_id,
        month,
        response_group_code,
        class,
        last,
        contacts,
        unnest(['arrested', 'held', 'force', 'injured', 'died', 'any']) as outcome_code,
        unnest([arrested, held, force, injured, died, least(arrested, held, force, injured, died)]) as seconds,
        unnest([died, died, died, died, null, null]) as died
    from alike
),

classed as (
    select
        asked.*,
        window_days,
        coalesce(class, case
            when
                died < least(last, window_days * 86400) and coalesce(seconds > died, true) then 'died'
            when last < window_days * 86400 then 'censored'
            when seconds <= window_days * 86400 then 'harm'
            else 'none'
        end) as class_code
    from asked
    cross join (values (7), (30)) as windows (window_days)
),

counted as (
    select
        agency_id,
        month,
        response_group_code,
        outcome_code,
        window_days,
        sum(contacts) as considered_count,
        sum(contacts) filter (class_code = 'other_role') as other_role_count,
        sum(contacts) filter (class_code = 'taken') as taken_count,
        sum(contacts) filter (class_code = 'not_linked') as not_linked_count,
        sum(contacts) filter (class_code = 'same_call') as same_call_count,
        sum(contacts) filter (class_code = 'died') as died_count,
        sum(contacts) filter (class_code = 'censored') as censored_count,
        sum(contacts) filter (class_code in ('harm', 'none')) as denominator_count,
        sum(contacts) filter (class_code = 'harm') as outcome_count
    from classed
    group by all
),

told as (
    from (select distinct agency_id, month from met)
    cross join (values ('no_police'), ('team_with_police'), ('police_only')) as groups (response_group_code)
    cross join (values ('arrested'), ('held'), ('force'), ('injured'), ('died'), ('any')) as outcomes (outcome_code)
    cross join (values (7), (30)) as windows (window_days)
)

select
    agency_id,
    month,
    response_group_code,
    outcome_code,
    window_days,
    coalesce(columns('_count$'), 0)::bigint,
    case when denominator_count > 0 then round(coalesce(outcome_count, 0) / denominator_count, 6) end as outcome_share
from told
left join counted using (agency_id, month, response_group_code, outcome_code, window_days);

create table met_program__override as
with team as (
    select
        incident_id,
        max(case
            when response_model_code in (
                'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
            ) then 1
            else 2
        end) as sent
    from warehouse.marts.fct_unit_response
    where coalesce(response_model_code not in ('police_only', 'cit_police'), false)
    group by incident_id
),

-- What was sent to the calls that some unit was sent to: 2 a team, 1 not known, none neither.
done as (
    select
        incident.agency_id,
        incident.month,
        incident.program_eligible as rule,
        team.sent,
        count(*) as calls
    from warehouse.marts.fct_incident as incident
    left join team using (incident_id)
    where incident.exclusion_code = 'none' and incident.has_unit_response
    group by all
)

select
    agency_id,
    month,
    part_code,
    sum(calls)::bigint as considered_count,
    coalesce(sum(calls) filter (rule not in ('yes', 'no')), 0)::bigint as eligibility_unknown_count,
    coalesce(sum(calls) filter (rule = part_rule and sent = 1), 0)::bigint as unknown_count,
    coalesce(sum(calls) filter (rule = part_rule), 0)::bigint - unknown_count as denominator_count,
    coalesce(sum(calls) filter (rule = part_rule and sent is not distinct from part_sent), 0)::bigint
        as override_count,
    case when denominator_count > 0 then round(override_count / denominator_count, 6) end as override_share
from done
cross join (values ('eligible_not_sent', 'yes', null), ('not_eligible_sent', 'no', 2)) as parts (
    part_code, part_rule, part_sent
)
group by all;

create table met_program__roster as
with shift_hour as (
    select
        agency_id,
        month,
        coalesce(geoid, 'not_recorded') as area,
        epoch_us(started_at) // 3600000000 + n as hour_number,
        started_local_at + to_hours(n) as local_at,
        program_operating,
        clinician_count
    from (
        select
            agency_id,
            month,
            geoid,
            started_at,
            started_local_at,
            program_operating,
            clinician_count,
            unnest(range(least(
                ceil((epoch_us(ended_at) // 1000000 - epoch_us(started_at) // 1000000) / 3600)::bigint, 48
            ))) as n
        from warehouse.marts.fct_shift
    )
),

-- Did a program work in the hour and area, and was a clinician on duty; null where a shift does not say.
cell as (
    select
        agency_id,
        month,
        area,
        isodow(min(local_at)) * 24 + hour(min(local_at)) as week_hour,
        case
            when count(*) filter (program_operating = 'yes') > 0 then true
            when count(*) filter (program_operating = 'no') = count(*) then false
        end as worked,
        case when sum(clinician_count) > 0 then true when count(clinician_count) = count(*) then false end
            as has_clinician
    from shift_hour
    group by agency_id, month, area, hour_number
),

summed as (
    select
        agency_id,
        month,
        case grouping(area, week_hour) when 1 then 'area' when 2 then 'hour_of_week' else 'all' end as slice_code,
        case slice_code
            when 'area' then area
            when 'hour_of_week'
                then coalesce(week_hour // 24 || '_' || lpad((week_hour % 24)::varchar, 2, '0'), 'not_recorded')
            else 'all'
        end as slice_value,
        count(*) as hours,
        count(worked) as worked_known,
        count(*) filter (worked) as worked,
        count(has_clinician) filter (worked) as clinician_known,
        count(*) filter (worked and has_clinician) as clinician
    from cell
    group by grouping sets ((agency_id, month), (agency_id, month, area), (agency_id, month, week_hour))
),

counted as (
    select
        month.agency_id,
        month.month,
        unnest(['PG1', 'PG2']) as metric_id,
        coalesce(slice_code, 'all') as slice_code,
        coalesce(slice_value, 'all') as slice_value,
        unnest([hours, worked]) as considered,
        unnest([worked_known, clinician_known]) as denominator,
        unnest([worked, clinician]) as numerator
    from warehouse.staging.stg_agency_month as month
    semi join warehouse.marts.fct_shift as shift on month.agency_id = shift.agency_id
    left join summed on month.agency_id = summed.agency_id and month.month = summed.month
)

select
    agency_id,
    month,
    metric_id,
    slice_code,
    slice_value,
    coalesce(considered, 0) as considered_count,
    coalesce(considered - denominator, 0) as unknown_count,
    coalesce(denominator, 0) as denominator_count,
    coalesce(numerator, 0) as numerator_count,
    case when denominator > 0 then round(numerator / denominator, 6) end as hours_share
from counted;

-- Vacancy (PG3) looks at the month's own counts, turnover (PG4) at those of the twelve months to it.
create table met_program__position as
with position_count as (
    select
        agency_id,
        substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int as month_number,
        coalesce(program_number, 'not_recorded') as program,
        funded_fte,
        filled_fte,
        left_fte
    from warehouse.staging.stg_position_count
    where responder_role_code = 'clinician' and month <> 'unknown'
),

told as (
    select
        agency_id,
        month,
        substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int as month_number,
        unnest(['PG3', 'PG4']) as metric_id,
        unnest([0, 11]) as months_back
    from warehouse.staging.stg_agency_month
    semi join warehouse.staging.stg_position_count using (agency_id)
),

observed as (
    select
        told.agency_id,
        told.month,
        metric_id,
        position_count.month_number,
        program,
        funded_fte,
        case
            when filled_fte is null then null
            when metric_id = 'PG3' then funded_fte
            when left_fte is not null then filled_fte
        end as known_fte,
        case
            when filled_fte is null then null
            when metric_id = 'PG3' then funded_fte - filled_fte
            else left_fte
        end as counted_fte
    from told
    inner join position_count
        on
            told.agency_id = position_count.agency_id
            and position_count.month_number between told.month_number - told.months_back and told.month_number
),

counted as (
    select
        agency_id,
        month,
        metric_id,
        if(grouping(program) = 0, 'program', 'all') as slice_code,
        if(grouping(program) = 0, program, 'all') as slice_value,
        count(distinct month_number) as month_count,
        coalesce(sum(funded_fte), 0) as considered_fte,
        coalesce(sum(funded_fte) filter (known_fte is null), 0) as unknown_fte,
        coalesce(sum(known_fte), 0) / month_count as denominator_fte,
        coalesce(sum(counted_fte), 0) as numerator_fte
    from observed
    group by grouping sets ((agency_id, month, metric_id), (agency_id, month, metric_id, program))
)

select
    agency_id,
    month,
    metric_id,
    coalesce(slice_code, 'all') as slice_code,
    coalesce(slice_value, 'all') as slice_value,
    coalesce(month_count, 0) as month_count,
    considered_fte,
    unknown_fte,
    denominator_fte,
    numerator_fte,
    case when denominator_fte > 0 then round(numerator_fte / denominator_fte, 6) end as position_share
from told
left join counted using (agency_id, month, metric_id);
