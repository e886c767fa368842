-- Makes the four tables of needs: demand not reached, facility capacity, offers to familiar faces, refused drop-offs.

create table met_needs__demand_not_reached as
with call as materialized (
    select
        agency_id,
        month,
        incident_id,
        received_at,
        received_local_at,
        beat,
        sector,
        precinct
    from warehouse.marts.fct_incident
    where exclusion_code = 'none' and bh_call_type_initial = 'yes'
),

team_response as materialized (
    select
        agency_id,
        month,
        incident_id,
        unit_number,
        dispatched_at,
        cleared_at,
        on_scene_at
    from warehouse.marts.fct_unit_response
    where
        response_model_code in (
            'co_response_ride_along', 'co_response_separate', 'co_response_telehealth', 'mobile_crisis',
            'alternative_no_police'
        )
),

sent as (
    select
        incident_id,
        count(on_scene_at) > 0 as has_arrived
    from team_response
    group by incident_id
),

-- By area and day, so that each call meets the shifts around it and no others; a wide area is every call's.
shift as (
    select
        agency_id,
        started_at,
        ended_at,
        program_operating = 'yes' as is_operating,
        unnest(range(epoch_us(started_at) // 86400000000, epoch_us(ended_at) // 86400000000 + 1)) as day,
        case when geography_level_code in ('city', 'county', 'state') then 'everywhere' else geoid end as area
    from warehouse.marts.fct_shift
    where program_operating in ('yes', 'no')
),

covered as (
    select
        call.incident_id,
        bool_or(shift.is_operating) as is_operating
    from (
        select
            agency_id,
            incident_id,
            received_at,
            epoch_us(received_at) // 86400000000 as day,
            unnest(list_distinct([beat, sector, precinct, 'everywhere'])) as area
        from call
        anti join sent using (incident_id)
    ) as call
    inner join shift
        on
            call.agency_id = shift.agency_id
            and call.area = shift.area
            and call.day = shift.day
            and call.received_at >= shift.started_at
            and call.received_at < shift.ended_at
    group by call.incident_id
),

-- Teams that worked in the month, and those of them that were on another call when this one came in.
team as (
    select
        agency_id,
        month,
        count(distinct unit_number) as teams
    from team_response
    group by agency_id, month
),

busy as (
    select
        call.incident_id,
        count(distinct on_call.unit_number) as teams
    from call
    inner join (
        select
            *,
            unnest(range(epoch_us(dispatched_at) // 86400000000, epoch_us(cleared_at) // 86400000000 + 1)) as day
        from team_response
    ) as on_call
        on
            call.agency_id = on_call.agency_id
            and call.month = on_call.month
            and epoch_us(call.received_at) // 86400000000 = on_call.day
            and call.received_at >= on_call.dispatched_at
            and call.received_at < on_call.cleared_at
    where call.incident_id in (select incident_id from covered where is_operating)
    group by call.incident_id
),

placed as (
    select
        call.agency_id,
        call.month,
        coalesce(strftime(call.received_local_at, '%u_%H'), 'not_recorded') as hour_of_week,
        coalesce(call.beat, 'not_recorded') as beat,
        beat || ', ' || hour_of_week as beat_and_hour,
        case
            when sent.has_arrived then 'reached'
            when sent.incident_id is not null then 'sent_not_arrived'
            when covered.incident_id is null then 'hours_unknown'
            when not covered.is_operating then 'program_off'
            when busy.teams >= team.teams then 'teams_busy'
            else 'not_sent'
        end as class
    from call
    left join sent using (incident_id)
    left join covered using (incident_id)
    left join busy using (incident_id)
    left join team on call.agency_id = team.agency_id and call.month = team.month
)

select
    agency_id,
    month,
    case grouping(hour_of_week, beat, beat_and_hour)
        when 3 then 'hour_of_week'
        when 5 then 'beat'
        when 6 then 'beat_and_hour_of_week'
        else 'all'
    end as slice_code,
    coalesce(hour_of_week, beat, beat_and_hour, 'all') as slice_value,
    count(*) as considered_count,
    count(*) filter (class = 'reached') as reached_count,
    considered_count - reached_count as not_reached_count,
    count(*) filter (class = 'sent_not_arrived') as sent_not_arrived_count,
    count(*) filter (class = 'program_off') as program_off_count,
    count(*) filter (class = 'teams_busy') as teams_busy_count,
    count(*) filter (class = 'not_sent') as not_sent_count,
    count(*) filter (class = 'hours_unknown') as hours_unknown_count,
    round(not_reached_count / considered_count, 6) as not_reached_share
from placed
group by grouping sets (
    (agency_id, month),
    (agency_id, month, hour_of_week),
    (agency_id, month, beat),
    (agency_id, month, beat_and_hour)
);

-- Adults met four times or more in twelve months as the person in crisis, and the services that they were offered.
create table met_needs__familiar_offer as
with cohort as materialized (
    select distinct
        agency_id,
        month,
        substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int as month_number
    from warehouse.marts.fct_contact
    where month <> 'unknown'
),

met as (
    select
        contact.agency_id,
        event.care_person_key,
        substr(contact.month, 1, 4)::int * 12 + substr(contact.month, 6, 2)::int as month_number,
        count(*) as contacts
    from warehouse.marts.fct_contact as contact
    inner join warehouse.marts.fct_care_event as event on contact.contact_id = event.record_id
    where
        event.event_kind_code = 'contact'
        and contact.month <> 'unknown'
        and coalesce(contact.person_role_code not in ('caller', 'victim', 'witness', 'family'), true)
        and case
            when
                contact.age_band_code not in (
                    'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                )
                then contact.age_band_code not in ('0-11', '12-17')
            else coalesce(contact.age_years > 17, true)
        end
    group by all
),

familiar as materialized (
    select
        cohort.agency_id,
        cohort.month,
        cohort.month_number,
        met.care_person_key
    from cohort
    inner join (
        from met
        qualify sum(contacts) over (partition by agency_id, care_person_key) >= 4
    ) as met
        on
            cohort.agency_id = met.agency_id
            and met.month_number between cohort.month_number - 11 and cohort.month_number
    group by all
    having sum(met.contacts) >= 4
),

-- No record of substance use treatment stands here, not even as a count.
offer as (
    select
        event.care_person_key,
        coalesce(referral.referral_type_code, 'not_recorded') as service_code,
        substr(referral.month, 1, 4)::int * 12 + substr(referral.month, 6, 2)::int as month_number,
        referral.accepted = 'yes' as is_accepted,
        referral.first_kept_at is not null as is_reached,
        referral.first_kept_at is null
        and coalesce(
            epoch_us(coalesce(referral.as_of_date, known.as_of_date)::timestamp) // 1000000
            - epoch_us(referral.referred_local_at) // 1000000 < 30 * 86400,
            false
        ) as is_waiting
    from warehouse.marts.fct_referral as referral
    inner join warehouse.marts.fct_care_event as event on referral.referral_id = event.record_id
    inner join (
        select
            agency_id,
            max(as_of_date) as as_of_date
        from warehouse.marts.fct_referral
        group by agency_id
    ) as known on referral.agency_id = known.agency_id
    where
        event.event_kind_code = 'referral'
        and event.care_person_key in (select care_person_key from familiar)
        and referral.offered = 'yes'
        and referral.referred_at is not null
        and referral.month <> 'unknown'
        and coalesce(referral.referral_type_code <> 'sud_treatment', true)
        and coalesce(referral.part2_protected <> 'yes', true)
),

person_offer as (
    select
        familiar.agency_id,
        familiar.month,
        coalesce(offer.service_code, 'any') as service_code,
        bool_or(offer.is_accepted) as is_accepted,
        bool_or(offer.is_reached) as is_reached,
        bool_or(offer.is_waiting) as is_waiting
    from familiar
    inner join offer
        on
            familiar.care_person_key = offer.care_person_key
            and offer.month_number between familiar.month_number - 11 and familiar.month_number
    group by grouping sets (
        (familiar.agency_id, familiar.month, familiar.care_person_key),
        (familiar.agency_id, familiar.month, familiar.care_person_key, offer.service_code)
    )
),

offered as (
    select
        agency_id,
        month,
        service_code,
        count(*) as offered,
        count(*) filter (is_accepted) as accepted,
        count(*) filter (is_reached) as reached,
        count(*) filter (is_waiting and not is_reached) as waiting
    from person_offer
    group by all
)

select
    cohort.agency_id,
    cohort.month,
    coalesce(service_code, 'any') as service_code,
    coalesce(person.persons, 0) as familiar_person_count,
    coalesce(offered, 0) as offered_person_count,
    familiar_person_count - offered_person_count as not_offered_person_count,
    coalesce(accepted, 0) as accepted_person_count,
    coalesce(reached, 0) as reached_person_count,
    coalesce(waiting, 0) as waiting_person_count,
    offered_person_count - reached_person_count - waiting_person_count as not_reached_person_count,
    case
        when reached_person_count + not_reached_person_count > 0
            then round(not_reached_person_count / (reached_person_count + not_reached_person_count), 6)
    end as not_reached_share
from cohort
left join (select agency_id, month, count(*) as persons from familiar group by all) as person
    using (agency_id, month)
left join offered using (agency_id, month);

-- A month without a trip is zero where the agency sends trips at all.
create table met_needs__refused_drop_off as
with counted as (
    select
        agency_id,
        month,
        case grouping(destination, reason) when 1 then 'destination' when 2 then 'refusal_reason' else 'all' end
            as slice_code,
        coalesce(destination, reason, 'all') as slice_value,
        count(*) as considered,
        count(*) filter (drop_off_refused in ('yes', 'no')) as denominator,
        count(*) filter (drop_off_refused = 'yes') as refused
    from (
        select
            agency_id,
            month,
            drop_off_refused,
            coalesce(destination_code, 'not_recorded') as destination,
            case drop_off_refused
                when 'no' then 'not_refused'
                when 'yes' then coalesce(refusal_reason_code, 'not_recorded')
                else 'not_known_whether_refused'
            end as reason
        from warehouse.marts.fct_transport
    )
    group by grouping sets ((agency_id, month), (agency_id, month, destination), (agency_id, month, reason))
)

select
    month.agency_id,
    month.month,
    coalesce(slice_code, 'all') as slice_code,
    coalesce(slice_value, 'all') as slice_value,
    coalesce(considered, 0) as considered_count,
    coalesce(considered - denominator, 0) as unknown_count,
    coalesce(denominator, 0) as denominator_count,
    coalesce(refused, 0) as refused_count,
    case when denominator > 0 then round(refused / denominator, 6) end as refused_share
from warehouse.staging.stg_agency_month as month
left join counted on month.agency_id = counted.agency_id and month.month = counted.month
where month.agency_id in (select agency_id from warehouse.marts.fct_transport);

create table met_needs__facility_capacity as
with told as (
    select
        agency_id,
        month,
        coalesce(capacity_kind_code, 'not_recorded') as kind,
        staffed_count is not null and occupied_count is not null as is_known,
        staffed_count,
        occupied_count,
        open_count,
        closed_to_drop_off,
        drop_off_count,
        police_drop_off_count,
        refused_drop_off_count
    from warehouse.staging.stg_facility_capacity
),

summed as (
    select
        agency_id,
        month,
        if(grouping(kind) = 0, 'capacity_kind', 'all') as slice_code,
        if(grouping(kind) = 0, kind, 'all') as slice_value,
        count(*) as considered,
        count(*) filter (is_known) as known,
        count(*) filter (is_known and occupied_count >= staffed_count) as full_count,
        count(*) filter (closed_to_drop_off = 'yes') as closed,
        coalesce(sum(staffed_count) filter (is_known), 0)::bigint as staffed_sum,
        coalesce(sum(occupied_count) filter (is_known), 0)::bigint as occupied_sum,
        coalesce(sum(open_count) filter (is_known), 0)::bigint as open_sum,
        sum(drop_off_count)::bigint as drop_off_sum,
        sum(police_drop_off_count)::bigint as police_drop_off_sum,
        sum(refused_drop_off_count)::bigint as refused_drop_off_sum
    from told
    group by grouping sets ((agency_id, month), (agency_id, month, kind))
)

select
    month.agency_id,
    month.month,
    coalesce(slice_code, 'all') as slice_code,
    coalesce(slice_value, 'all') as slice_value,
    coalesce(considered, 0) as considered_count,
    coalesce(known, 0) as known_count,
    considered_count - known_count as unknown_count,
    coalesce(full_count, 0) as full_count,
    coalesce(closed, 0) as closed_count,
    staffed_sum,
    occupied_sum,
    open_sum,
    drop_off_sum,
    police_drop_off_sum,
    refused_drop_off_sum,
    case when staffed_sum > 0 then round(occupied_sum / staffed_sum, 6) end as occupied_ratio,
    case when known > 0 then round(summed.full_count / known, 6) end as full_share
from warehouse.staging.stg_agency_month as month
left join summed on month.agency_id = summed.agency_id and month.month = summed.month
where month.agency_id in (select agency_id from warehouse.staging.stg_facility_capacity);
