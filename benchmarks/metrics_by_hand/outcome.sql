-- Makes the nine tables of outcome: contact outcomes, equity, dispositions, arrests, repeats, referrals, enrollments.

-- Macros: a month as a number; whether a code says nothing.
create or replace temp macro month_number(month) as substr(month, 1, 4)::int * 12 + substr(month, 6, 2)::int;
create or replace temp macro is_told(code) as coalesce(
    code not in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'), false
);
create or replace temp macro age_band(code, years) as case
    when is_told(code) then code
    when years <= 11 then '0-11'
    when years <= 17 then '12-17'
    when years <= 24 then '18-24'
    when years <= 34 then '25-34'
    when years <= 44 then '35-44'
    when years <= 54 then '45-54'
    when years <= 64 then '55-64'
    when years <= 74 then '65-74'
    when years <= 89 then '75-89'
    when years > 89 then '90+'
    else coalesce(code, 'not_recorded')
end;
-- Seconds of a stay within a span.
create or replace temp macro overlap(stay_start, stay_end, span_start, span_end) as greatest(
    0, epoch_us(least(stay_end, span_end)) // 1000000 - epoch_us(greatest(stay_start, span_start)) // 1000000
);

-- What force reports say of a contact, where there is one.
create or replace temp table report as
with injury as (
    select
        force_event_id,
        bool_or(injury_party_code = 'subject') as subject,
        bool_or(injury_party_code = 'officer') as officer,
        bool_or(injury_party_code = 'clinician') as clinician,
        bool_or(injury_party_code = 'bystander') as bystander
    from warehouse.staging.stg_injury
    where coalesce(injury_severity_code <> 'none', true)
    group by force_event_id
)

select
    contact_id,
    month,
    coalesce(bool_or(force_used = 'yes'), false) as has_force,
    max(case force_level_code when '3_serious' then 3 when '2_intermediate' then 2 when '1_minor' then 1 end)
        filter (force_used = 'yes') as level,
    count(*) filter (
        force_used = 'yes' and force_level_code not in ('1_minor', '2_intermediate', '3_serious')
    ) = 0 as is_level_known,
    coalesce(bool_or(injury.subject), false) as subject,
    coalesce(bool_or(injury.officer), false) as officer,
    coalesce(bool_or(injury.clinician), false) as clinician,
    coalesce(bool_or(injury.bystander), false) as bystander
from warehouse.staging.stg_force_event as force_event
left join injury using (force_event_id)
where contact_id is not null
group by contact_id, month;

-- One row a contact: its answers as 1, 0 or null (not known), and by what they are sliced.
create or replace temp table answer as
with told as (
    select
        contact.*,
        report.contact_id as report_id,
        report.level,
        report.is_level_known,
        report.has_force,
        report.subject,
        report.officer,
        report.clinician,
        report.bystander,
        case when report.has_force or force_used = 'yes' then 1 when force_used = 'no' then 0 end::tinyint as any_force,
        is_told(destination_code) as has_destination
    from (
        select
            agency_id,
            month,
            contact_id,
            occurred_local_at,
            response_model_code,
            race_ethnicity_codes,
            age_band_code,
            age_years,
            sex_gender_code,
            language_code,
            housing_status_code,
            call_type_initial_code,
            primary_disposition_code,
            destination_code,
            force_used,
            injury,
            injured_party_codes,
            technique_codes,
            handcuffs_used,
            restraint_used,
            case
                when enforcement_code in ('booked', 'arrested_unspecified') then 1
                when enforcement_code in ('cited', 'none') then 0
            end::tinyint as arrested,
            case legal_hold_code when 'involuntary' then 1 when 'voluntary' then 0 when 'none' then 0 end::tinyint
                as held
        from warehouse.marts.fct_contact
    ) as contact
    left join report using (contact_id, month)
)

select
    agency_id,
    month,
    coalesce(hour(occurred_local_at) // 6, -1) as hour_block,
    coalesce(response_model_code, 'not_recorded') as response_model,
    case
        when contains(race_ethnicity_codes, '|') then 'two_or_more'
        else coalesce(race_ethnicity_codes, 'not_recorded')
    end as race_ethnicity,
    age_band(age_band_code, age_years) as age_band,
    coalesce(sex_gender_code, 'not_recorded') as sex_gender,
    coalesce(language_code, 'not_recorded') as language,
    coalesce(housing_status_code, 'not_recorded') as housing_status,
    coalesce(call_type_initial_code, 'not_recorded') as call_type,
    case when is_told(response_model_code) then response_model_code in (
        'co_response_ride_along', 'co_response_separate', 'co_response_telehealth', 'mobile_crisis',
        'alternative_no_police'
    ) end::tinyint as met_by_team,
    case when is_told(response_model_code) then response_model_code = 'cit_police' end::tinyint as met_by_cit_police,
    arrested,
    held,
    case when has_destination then destination_code end as destination,
    case when has_destination then destination_code in ('ed', 'psychiatric_ed') end::tinyint as taken_to_ed,
    any_force,
    case injury when 'yes' then 1 when 'no' then 0 end::tinyint as any_injury,
    case when technique_codes = 'none' then 0 when is_told(technique_codes) then 1 end::tinyint as technique,
    case handcuffs_used when 'yes' then 1 when 'no' then 0 end::tinyint as handcuffed,
    case restraint_used when 'yes' then 1 when 'no' then 0 end::tinyint as restrained,
    primary_disposition_code in (
        'unable_to_contact', 'gone_on_arrival', 'unfounded', 'cancelled', 'duplicate'
    ) is true as is_nobody,
    case
        when is_nobody then null
        when arrested = 1 or held = 1 then 0
        when destination_code in ('ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'jail', 'juvenile_facility')
            then 0
        when arrested = 0 and held = 0 and has_destination then 1
    end::tinyint as resolved,
    -- Eight answers by force reports, seldom there, as digits to base 3 (2: not known): levels of force 2 or more, 3 or
    -- more, 1 only, 2 only; the subject, an officer, a clinician, a bystander injured. Null: no report.
    case when report_id is not null then
        case when level >= 2 then 1 when any_force = 0 or (is_level_known and level < 2) then 0 else 2 end
        + 3 * case when level >= 3 then 1 when any_force = 0 or (is_level_known and level < 3) then 0 else 2 end
        + 9 * case
            when any_force = 0 or level > 1 then 0 when not is_level_known then 2 when level = 1 then 1 else 0
        end
        + 27 * case
            when any_force = 0 or level > 2 then 0 when not is_level_known then 2 when level = 2 then 1 else 0
        end
        + 81 * case when subject then 1 when has_force or any_force = 0 then 0 else 2 end
        + 243 * case when officer then 1 when has_force or any_force = 0 then 0 else 2 end
        + 729 * case when clinician then 1 when has_force or any_force = 0 then 0 else 2 end
        + 2187 * case when bystander then 1 when has_force or any_force = 0 then 0 else 2 end
    end as reported,
    case
        when is_told(injured_party_codes) then injured_party_codes
        when injury = 'no' then 'none'
    end as injured
from told;

create or replace temp macro asked(metric, outcome, yes, known, not_applicable) as {
    'metric': metric, 'outcome': outcome, 'yes': yes, 'known': known, 'not_applicable': not_applicable
};
-- A seldom told answer: without a report there was no force, or it is not known.
create or replace temp macro in_report(metric, outcome, digit, reported, n, no_force) as asked(
    metric,
    outcome,
    sum(n) filter (reported // digit % 3 = 1),
    sum(case when reported is null then no_force when reported // digit % 3 < 2 then n end),
    0
);
create or replace temp macro taken_to(code, destination, n) as asked(
    'M22', 'destination_' || code, sum(n) filter (destination = code), sum(n) filter (destination is not null), 0
);
create or replace temp macro hurt(party, injured, n) as asked(
    'M24b',
    party || '_injured',
    sum(n) filter (contains('|' || injured || '|', '|' || party || '|')),
    sum(n) filter (injured is not null),
    0
);

create table met_outcome__contact_outcomes_by_slice as
with counted as (
    select
        agency_id,
        month,
        case
            when grouping(response_model) = 0 then 'response_model'
            when grouping(race_ethnicity) = 0 then 'race_ethnicity'
            when grouping(age_band) = 0 then 'age_band'
            when grouping(sex_gender) = 0 then 'sex_gender'
            when grouping(language) = 0 then 'language'
            when grouping(housing_status) = 0 then 'housing_status'
            when grouping(call_type) = 0 then 'call_type'
            else 'all'
        end as slice_code,
        coalesce(
            response_model, race_ethnicity, age_band, sex_gender, language, housing_status, call_type, 'all'
        ) as slice_value,
        destination,
        reported,
        injured,
        count(*) as n,
        count(*) filter (any_force = 0) as no_force,
        sum(arrested) as arrested,
        count(arrested) as arrested_known,
        sum(held) as held,
        count(held) as held_known,
        sum(any_force) as any_force,
        count(any_force) as any_force_known,
        sum(any_injury) as any_injury,
        count(any_injury) as any_injury_known,
        sum(technique) as technique,
        count(technique) as technique_known,
        sum(any_force) filter (technique = 1) as despite,
        count(any_force) filter (technique = 1) as despite_known,
        sum(handcuffed) as handcuffed,
        count(handcuffed) as handcuffed_known,
        sum(restrained) as restrained,
        count(restrained) as restrained_known,
        sum(resolved) as resolved,
        count(resolved) as resolved_known,
        count(*) filter (is_nobody) as nobody
    from answer
    group by grouping sets (
        (agency_id, month, destination, reported, injured),
        (agency_id, month, destination, reported, injured, response_model),
        (agency_id, month, destination, reported, injured, race_ethnicity),
        (agency_id, month, destination, reported, injured, age_band),
        (agency_id, month, destination, reported, injured, sex_gender),
        (agency_id, month, destination, reported, injured, language),
        (agency_id, month, destination, reported, injured, housing_status),
        (agency_id, month, destination, reported, injured, call_type)
    )
),

asked as (
    select
        agency_id,
        month,
        slice_code,
        slice_value,
        sum(n)::bigint as considered_count,
        unnest([
            asked('M16', 'arrested', sum(arrested), sum(arrested_known), 0),
            asked('M18', 'not_arrested', sum(arrested_known) - sum(coalesce(arrested, 0)), sum(arrested_known), 0),
            asked('M21', 'involuntary_hold', sum(held), sum(held_known), 0),
            taken_to('none', destination, n),
            taken_to('ed', destination, n),
            taken_to('psychiatric_ed', destination, n),
            taken_to('hospital', destination, n),
            taken_to('inpatient_psych', destination, n),
            taken_to('crisis_facility', destination, n),
            taken_to('sobering', destination, n),
            taken_to('clinic', destination, n),
            taken_to('jail', destination, n),
            taken_to('juvenile_facility', destination, n),
            taken_to('shelter', destination, n),
            taken_to('home', destination, n),
            taken_to('family', destination, n),
            asked('M23', 'any_force', sum(any_force), sum(any_force_known), 0),
            in_report('M23b', 'force_level_2_or_more', 1, reported, n, no_force),
            in_report('M23b', 'force_level_3_or_more', 3, reported, n, no_force),
            in_report('M23b', 'force_level_1_only', 9, reported, n, no_force),
            in_report('M23b', 'force_level_2_only', 27, reported, n, no_force),
            asked('M24', 'any_injury', sum(any_injury), sum(any_injury_known), 0),
            hurt('subject', injured, n),
            hurt('officer', injured, n),
            hurt('clinician', injured, n),
            hurt('bystander', injured, n),
            in_report('M24c', 'subject_injured_in_force', 81, reported, n, no_force),
            in_report('M24c', 'officer_injured_in_force', 243, reported, n, no_force),
            in_report('M24c', 'clinician_injured_in_force', 729, reported, n, no_force),
            in_report('M24c', 'bystander_injured_in_force', 2187, reported, n, no_force),
            asked('M25', 'technique_used', sum(technique), sum(technique_known), 0),
            asked(
                'M25', 'force_despite_technique', sum(despite), sum(despite_known),
                sum(n - coalesce(technique, 0))
            ),
            asked('M26', 'handcuffed', sum(handcuffed), sum(handcuffed_known), 0),
            asked('M26b', 'restrained', sum(restrained), sum(restrained_known), 0),
            asked('M27', 'resolved_in_community', sum(resolved), sum(resolved_known), sum(nobody))
        ], recursive := true)
    from counted
    group by agency_id, month, slice_code, slice_value
)

select
    agency_id,
    month,
    metric as metric_id,
    outcome as outcome_code,
    slice_code,
    slice_value,
    considered_count,
    not_applicable::bigint as not_applicable_count,
    coalesce(known, 0)::bigint as denominator_count,
    coalesce(yes, 0)::bigint as outcome_count,
    considered_count - not_applicable_count - denominator_count as unknown_count,
    case when denominator_count > 0 then round(outcome_count / denominator_count, 6) end as outcome_share,
    case
        when metric_id = 'M21' and slice_code = 'all'
            then round(outcome_count * 100000 / nullif(agency.population_served, 0), 4)
    end as per_100000_residents
from asked
inner join warehouse.marts.dim_agency as agency using (agency_id);

-- Sums over strata (call type, six hours of the day) of a group's answers and of all groups': weighed as the stratum.
create or replace temp macro compared(metric, outcome, yes, known, all_yes, all_known) as {
    'metric': metric,
    'outcome': outcome,
    'yes': sum(yes),
    'known': sum(known),
    'compared': sum(known) filter (known > 0 and known < all_known),
    'weight': sum(all_known) filter (known > 0 and known < all_known),
    'share': sum(all_known * yes / known) filter (known > 0 and known < all_known),
    'rest_share': sum(all_known * (all_yes - yes) / (all_known - known)) filter (known > 0 and known < all_known),
    'variance': sum((1 / known + 1 / (all_known - known)) * all_yes * (all_known - all_yes))
        filter (known > 0 and known < all_known)
};

create table met_outcome__equity as
with by_month as (
    select
        agency_id,
        month_number(month) as month_number,
        call_type,
        hour_block,
        case
            when grouping(race_ethnicity) = 0 then 'race_ethnicity'
            when grouping(age_band) = 0 then 'age_band'
            when grouping(sex_gender) = 0 then 'sex_gender'
            when grouping(language) = 0 then 'language'
            else 'housing_status'
        end as slice_code,
        coalesce(race_ethnicity, age_band, sex_gender, language, housing_status) as slice_value,
        count(*) as contacts,
        sum(met_by_team) as team,
        count(met_by_team) as team_known,
        sum(met_by_cit_police) as cit,
        count(met_by_cit_police) as cit_known,
        sum(arrested) as arrested,
        count(arrested) as arrested_known,
        sum(held) as held,
        count(held) as held_known,
        sum(taken_to_ed) as ed,
        count(taken_to_ed) as ed_known,
        sum(resolved) as resolved,
        count(resolved) as resolved_known,
        sum(any_force) as force,
        count(any_force) as force_known,
        sum(handcuffed) as cuffed,
        count(handcuffed) as cuffed_known
    from answer
    where month <> 'unknown'
    group by grouping sets (
        (agency_id, month, call_type, hour_block, race_ethnicity),
        (agency_id, month, call_type, hour_block, age_band),
        (agency_id, month, call_type, hour_block, sex_gender),
        (agency_id, month, call_type, hour_block, language),
        (agency_id, month, call_type, hour_block, housing_status)
    )
),

cohort as (
    select distinct
        agency_id,
        month,
        month_number(month) as month_number
    from answer
    where month <> 'unknown'
),

-- Each month reads the twelve months to it.
cell as materialized (
    select
        cohort.agency_id,
        cohort.month,
        call_type,
        hour_block,
        slice_code,
        slice_value,
        coalesce(sum(columns(by_month.* exclude (
            agency_id, month_number, call_type, hour_block, slice_code, slice_value
        )))::double, 0)
    from by_month
    inner join cohort
        on
            by_month.agency_id = cohort.agency_id
            and by_month.month_number between cohort.month_number - 11 and cohort.month_number
    where is_told(slice_value)
    group by all
),

stratum as (
    select
        agency_id,
        month,
        call_type,
        hour_block,
        slice_code,
        sum(columns(cell.* exclude (agency_id, month, call_type, hour_block, slice_code, slice_value)))
    from cell
    group by all
),

summed as (
    select
        agency_id,
        month,
        slice_code,
        slice_value,
        sum(cell.contacts)::bigint as considered_count,
        unnest([
            compared('EQ1', 'met_by_team', cell.team, cell.team_known, stratum.team, stratum.team_known),
            compared('EQ1', 'met_by_cit_police', cell.cit, cell.cit_known, stratum.cit, stratum.cit_known),
            compared('EQ2', 'arrested', cell.arrested, cell.arrested_known, stratum.arrested, stratum.arrested_known),
            compared('EQ2', 'involuntary_hold', cell.held, cell.held_known, stratum.held, stratum.held_known),
            compared('EQ2', 'taken_to_ed', cell.ed, cell.ed_known, stratum.ed, stratum.ed_known),
            compared(
                'EQ2', 'resolved_in_community', cell.resolved, cell.resolved_known, stratum.resolved,
                stratum.resolved_known
            ),
            compared('EQ3', 'any_force', cell.force, cell.force_known, stratum.force, stratum.force_known),
            compared('EQ4', 'handcuffed', cell.cuffed, cell.cuffed_known, stratum.cuffed, stratum.cuffed_known)
        ], recursive := true)
    from cell
    inner join stratum using (agency_id, month, call_type, hour_block, slice_code)
    group by agency_id, month, slice_code, slice_value
)

select
    agency_id,
    month,
    metric as metric_id,
    outcome as outcome_code,
    slice_code,
    slice_value,
    considered_count,
    known::bigint as denominator_count,
    considered_count - denominator_count as unknown_count,
    yes::bigint as outcome_count,
    coalesce(compared, 0)::bigint as compared_count,
    case when known > 0 then round(yes / known, 6) end as crude_share,
    case when known > 0 then round(compared_count / known, 6) end as compared_share,
    round(share / weight, 6) as standardized_share,
    round(rest_share / weight, 6) as rest_standardized_share,
    round((share - rest_share) / weight, 6) as share_gap,
    round(sqrt(variance) / weight, 6) as share_gap_standard_error
from summed;

-- Every contact, with its person where one is known. Who was victim, caller, witness or family is no repeat.
create or replace temp table met as
select
    contact.agency_id,
    contact.month,
    contact.contact_id,
    event.person_key,
    event.started_at,
    coalesce(event.incident_id, contact.contact_id) as encounter_id,
    coalesce(contact.person_role_code in ('caller', 'victim', 'witness', 'family'), false) as is_other_role,
    age_band(contact.age_band_code, contact.age_years) in ('0-11', '12-17') as is_minor
from warehouse.marts.fct_contact as contact
left join (
    select
        record_id,
        person_key,
        started_at,
        incident_id
    from warehouse.marts.fct_person_event
    where event_kind_code = 'contact'
) as event on contact.contact_id = event.record_id;

create or replace temp table booking as
select
    booking.agency_id,
    booking.month,
    event.person_key,
    event.started_at,
    coalesce(event.ended_at, timestamptz '9999-01-01 00:00:00+00') as ended_at,
    age_band(booking.age_band_code, booking.age_years) in ('0-11', '12-17') as is_minor
from warehouse.marts.fct_jail_booking as booking
left join (
    select
        record_id,
        person_key,
        started_at,
        ended_at
    from warehouse.marts.fct_person_event
    where event_kind_code = 'booking'
) as event on booking.jail_booking_id = event.record_id;

create table met_outcome__repeat_contact as
with encounter as materialized (
    select
        *,
        row_number() over person > 1 as is_later,
        lead(started_at) over person as next_at
    from (
        select distinct on (person_key, encounter_id)
            person_key,
            agency_id,
            contact_id,
            started_at
        from met
        where person_key is not null and not is_other_role
        order by started_at, contact_id
    )
    window person as (partition by person_key order by started_at, contact_id)
),

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
            where person_key is not null
        )
    )
    group by person_key, stay
),

followed as materialized (
    select
        encounter.*,
        last_known.last_at,
        died.died_at
    from encounter
    inner join (select agency_id, max(started_at) as last_at from met group by agency_id) as last_known
        using (agency_id)
    left join (
        select
            record.person_key,
            min(death.death_date::timestamptz) as died_at
        from warehouse.staging.stg_death as death
        inner join warehouse.marts.bridge_person_record as record on death.death_id = record.record_id
        where record.entity = 'death' and record.role_code = 'subject' and record.person_key is not null
        group by record.person_key
    ) as died using (person_key)
),

jailed as (
    select
        followed.contact_id,
        sum(overlap(jail.started_at, jail.ended_at, followed.started_at, followed.next_at)) as to_next,
        sum(overlap(jail.started_at, jail.ended_at, followed.started_at, followed.last_at)) as to_last,
        sum(overlap(jail.started_at, jail.ended_at, followed.started_at, followed.died_at)) as to_died
    from followed
    inner join jail
        on
            followed.person_key = jail.person_key
            and followed.started_at < jail.ended_at
    group by followed.contact_id
),

at_liberty as (
    select
        contact_id,
        is_later,
        epoch_us(next_at) // 1000000 - epoch_us(started_at) // 1000000 - coalesce(to_next, 0) as next_seconds,
        epoch_us(last_at) // 1000000 - epoch_us(started_at) // 1000000 - coalesce(to_last, 0) as last_seconds,
        epoch_us(died_at) // 1000000 - epoch_us(started_at) // 1000000 - coalesce(to_died, 0) as died_seconds
    from followed
    left join jailed using (contact_id)
),

classed as (
    select
        met.agency_id,
        met.month,
        window_days,
        case
            when met.is_other_role then 'other_role'
            when met.person_key is null then 'not_linked'
            when at_liberty.contact_id is null then 'same_call'
            when
                died_seconds < least(last_seconds, window_days * 86400) and coalesce(next_seconds > died_seconds, true)
                then 'died'
            when last_seconds < window_days * 86400 then 'censored'
            when next_seconds <= window_days * 86400 then 'repeat'
            else 'none'
        end as class,
        is_later,
        least(last_seconds, next_seconds, died_seconds, window_days * 86400) as at_risk_seconds,
        next_seconds <= least(last_seconds, window_days * 86400) as is_seen_again
    from met
    cross join (values (30), (90), (365)) as windows (window_days)
    left join at_liberty using (contact_id)
),

summed as (
    select
        agency_id,
        month,
        window_days,
        class,
        is_later,
        count(*) as contacts,
        count(*) filter (is_seen_again) as seen_again,
        sum(at_risk_seconds) as at_risk_seconds
    from classed
    group by all
),

versions as (
    select
        * exclude (class, is_later),
        version_code,
        case when version_code = 'first_index' and is_later then 'not_first' else class end as class
    from summed
    cross join (values ('all_contacts'), ('first_index')) as versions (version_code)
)

select
    agency_id,
    month,
    version_code,
    window_days,
    sum(contacts)::bigint as considered_count,
    coalesce(sum(contacts) filter (class = 'other_role'), 0)::bigint as other_role_count,
    coalesce(sum(contacts) filter (class = 'not_linked'), 0)::bigint as not_linked_count,
    coalesce(sum(contacts) filter (class = 'same_call'), 0)::bigint as same_call_count,
    coalesce(sum(contacts) filter (class = 'not_first'), 0)::bigint as not_first_count,
    coalesce(sum(contacts) filter (class = 'censored'), 0)::bigint as censored_count,
    coalesce(sum(contacts) filter (class = 'died'), 0)::bigint as died_count,
    coalesce(sum(contacts) filter (class in ('repeat', 'none')), 0)::bigint as denominator_count,
    coalesce(sum(contacts) filter (class = 'repeat'), 0)::bigint as repeat_count,
    coalesce(sum(seen_again) filter (class in ('censored', 'died', 'repeat', 'none')), 0)::bigint as seen_again_count,
    round(coalesce(sum(at_risk_seconds) filter (class in ('censored', 'died', 'repeat', 'none')), 0) / 86400, 2)
        as at_liberty_days,
    case when denominator_count > 0 then round(repeat_count / denominator_count, 6) end as repeat_share,
    case when at_liberty_days > 0 then round(seen_again_count * 100 / at_liberty_days, 6) end
        as seen_again_per_100_days
from versions
group by agency_id, month, version_code, window_days;

create table met_outcome__familiar_faces as
with by_month as (
    select
        'M38' as metric_id,
        agency_id,
        month_number(month) as month_number,
        person_key,
        count(*) as events,
        count(*) filter (not is_other_role and not is_minor) as own
    from met
    where month <> 'unknown'
    group by all
    union all
    select
        'M37',
        agency_id,
        month_number(month),
        person_key,
        count(*),
        count(*) filter (not is_minor)
    from booking
    where month <> 'unknown'
    group by all
),

cohort as (
    select distinct
        'M38' as metric_id,
        agency_id,
        month,
        month_number(month) as month_number
    from met
    where month <> 'unknown'
    union all
    select distinct
        'M37',
        agency_id,
        month,
        month_number(month)
    from booking
    where month <> 'unknown'
),

-- A person is new in the twelve months from the month of an event to eleven months on, less those that already count.
person as materialized (
    select
        *,
        greatest(month_number, lag(month_number) over person + 12) as new_from,
        sum(own) over (partition by metric_id, agency_id, person_key) as all_own
    from by_month
    where person_key is not null and own > 0
    window person as (partition by metric_id, agency_id, person_key order by month_number)
),

rolled as (
    select
        cohort.metric_id,
        cohort.agency_id,
        cohort.month,
        sum(events) as considered,
        sum(events - own) as left_out,
        sum(not_linked) as not_linked
    from cohort
    inner join (
        select
            metric_id,
            agency_id,
            month_number,
            sum(events) as events,
            sum(own) as own,
            coalesce(sum(own) filter (person_key is null), 0) as not_linked
        from by_month
        group by all
    ) as total
        on
            cohort.metric_id = total.metric_id
            and cohort.agency_id = total.agency_id
            and total.month_number between cohort.month_number - 11 and cohort.month_number
    group by all
),

persons as (
    select
        cohort.metric_id,
        cohort.agency_id,
        cohort.month,
        sum(new.persons) as persons
    from cohort
    inner join (
        select
            metric_id,
            agency_id,
            month_number,
            new_from,
            count(*) as persons
        from person
        group by all
    ) as new
        on
            cohort.metric_id = new.metric_id
            and cohort.agency_id = new.agency_id
            and cohort.month_number between new.new_from and new.month_number + 11
    group by all
),

familiar as (
    select
        metric_id,
        agency_id,
        month,
        least_events,
        count(*) as persons,
        sum(own) as events
    from (
        select
            cohort.metric_id,
            cohort.agency_id,
            cohort.month,
            person.person_key,
            sum(person.own) as own
        from cohort
        inner join person
            on
                cohort.metric_id = person.metric_id
                and cohort.agency_id = person.agency_id
                and person.month_number between cohort.month_number - 11 and cohort.month_number
        where person.all_own >= 4
        group by all
    )
    inner join (values (4), (10)) as thresholds (least_events) on own >= least_events
    group by all
)

select
    metric_id,
    agency_id,
    month,
    least_events,
    considered::bigint as considered_count,
    left_out::bigint as left_out_count,
    not_linked::bigint as not_linked_count,
    considered_count - left_out_count - not_linked_count as denominator_count,
    coalesce(persons.persons, 0)::bigint as person_count,
    coalesce(familiar.persons, 0)::bigint as familiar_person_count,
    coalesce(familiar.events, 0)::bigint as familiar_event_count,
    case when denominator_count > 0 then round(familiar_event_count / denominator_count, 6) end
        as familiar_event_share
from rolled
inner join (values ('M37', 4), ('M38', 4), ('M38', 10)) as thresholds (metric_id, least_events) using (metric_id)
left join persons using (metric_id, agency_id, month)
left join familiar using (metric_id, agency_id, month, least_events);

create table met_outcome__share_not_arrested as
select
    agency_id,
    month,
    count(*) as considered_count,
    count(*) filter (enforcement_code in ('booked', 'arrested_unspecified')) as arrested_count,
    count(*) filter (enforcement_code = 'cited') as cited_count,
    count(*) filter (enforcement_code in ('cited', 'none')) as not_arrested_count,
    arrested_count + not_arrested_count as denominator_count,
    considered_count - denominator_count as unknown_count,
    case when denominator_count > 0 then round(not_arrested_count / denominator_count, 6) end as share_not_arrested
from warehouse.marts.fct_contact
group by agency_id, month;

-- A contact counts once for each disposition that it has, however often the form says it.
create table met_outcome__disposition_mix as
with had as (
    select
        agency_id,
        month,
        'primary' as basis_code,
        primary_disposition_code as disposition_code,
        count(*) as contacts
    from warehouse.marts.fct_contact
    group by all
    union all
    select
        agency_id,
        month,
        'any',
        disposition_code,
        count(distinct contact_id)
    from warehouse.marts.bridge_contact_disposition
    group by all
),

total as (
    select
        agency_id,
        month,
        count(*) as considered_count,
        unnest(['primary', 'any']) as basis_code,
        unnest([
            count(*) filter (primary_category_code <> 'not_known'), count(*) filter (known_disposition_count > 0)
        ]) as denominator_count
    from warehouse.marts.fct_contact
    group by agency_id, month
)

select
    total.*,
    considered_count - denominator_count as unknown_count,
    disposition.disposition_code,
    disposition.category_code,
    coalesce(had.contacts, 0) as contact_count,
    case when denominator_count > 0 then round(contact_count / denominator_count, 6) end as contact_share
from total
cross join (
    select
        disposition_code,
        category_code
    from warehouse.marts.dim_disposition
    where category_code <> 'not_known'
) as disposition
left join had using (agency_id, month, basis_code, disposition_code);

-- People of referrals, enrollments and deaths.
create or replace temp table care_person as
select
    entity,
    record_id,
    care_person_key
from warehouse.marts.bridge_care_person_record
where
    entity in ('referral', 'program_enrollment', 'death')
    and role_code = 'subject'
    and care_person_key is not null;

create or replace temp table died as
select
    care_person_key,
    min(death_date) as death_date
from warehouse.staging.stg_death as death
inner join care_person on death.death_id = care_person.record_id
where entity = 'death'
group by care_person_key;

-- Referrals with what became of them, in days.
create or replace temp table referral as
with service as (
    select
        referral_id,
        referred_at,
        count(*) filter (seconds <= 30 * 86400) as services_30,
        count(*) filter (seconds <= 90 * 86400) as services_90
    from (
        select
            referral_id,
            referral.referred_at,
            epoch_us(service.service_at) // 1000000 - epoch_us(referral.referred_at) // 1000000 as seconds
        from warehouse.marts.fct_service_linkage as service
        inner join warehouse.marts.fct_referral as referral using (referral_id)
        where service.kept = 'yes'
    )
    where seconds >= 0
    group by all
)

select
    referral.agency_id,
    referral.month,
    referral.referral_id,
    referral.contact_id,
    referral.incident_id,
    referral.referred_at,
    care_person.care_person_key,
    case when offered in ('yes', 'no') then offered else 'unknown' end as offered,
    case when accepted in ('yes', 'no') then accepted else 'unknown' end as accepted,
    referral_status_code = 'pending' as is_pending,
    first_kept_at is null and referral_status_code in ('closed_unknown', 'unknown', 'not_recorded', 'kept')
        as is_unknown,
    ceil((epoch_us(first_kept_at) // 1000000 - epoch_us(referral.referred_at) // 1000000) / 86400)::int as kept_day,
    floor((
        epoch_us(coalesce(as_of_date, max(as_of_date) over (partition by referral.agency_id))::timestamp) // 1000000
        - epoch_us(referred_local_at) // 1000000
    ) / 86400)::int as followed_days,
    ceil((epoch_us(death_date::timestamp) // 1000000 - epoch_us(referred_local_at) // 1000000) / 86400)::int
        as death_day,
    coalesce(services_30, 0) >= 2 as is_engaged_30,
    coalesce(services_90, 0) >= 2 as is_engaged_90
from warehouse.marts.fct_referral as referral
left join service on referral.referral_id = service.referral_id
left join care_person on care_person.entity = 'referral' and referral.referral_id = care_person.record_id
left join died on care_person.care_person_key = died.care_person_key;

-- Days to the end of the windows that they reach.
create or replace temp macro window_within(days) as
    case when days <= 7 then 7 when days <= 14 then 14 when days <= 30 then 30 when days <= 90 then 90 end;
create or replace temp macro window_reached(days) as
    case when days >= 90 then 90 when days >= 30 then 30 when days >= 14 then 14 when days >= 7 then 7 else 0 end;

create table met_outcome__referral as
with by_incident as (
    select
        incident_id,
        min(kept_day) as kept_day,
        bool_or(is_unknown) as is_unknown,
        bool_or(offered = 'yes') as is_offered
    from referral
    where referred_at is not null and contact_id is null and incident_id is not null
    group by incident_id
),

by_contact as (
    select
        contact_id,
        min(kept_day) as kept_day,
        bool_or(is_unknown) as is_unknown,
        bool_or(offered = 'yes') as is_offered
    from referral
    where referred_at is not null and contact_id is not null
    group by contact_id
),

contact as (
    select
        contact.agency_id,
        contact.month,
        by_incident.incident_id is not null or by_contact.contact_id is not null as is_named,
        coalesce(by_incident.is_offered, false) or coalesce(by_contact.is_offered, false) as is_offered,
        coalesce(by_incident.is_unknown, false) or coalesce(by_contact.is_unknown, false) as is_unknown,
        window_within(least(by_incident.kept_day, by_contact.kept_day)) as kept,
        window_reached((
            epoch_us((select max(as_of_date) from warehouse.marts.fct_referral)::timestamp) // 1000000
            - epoch_us(coalesce(contact.occurred_local_at, contact.reported_local_at)) // 1000000
        ) // 86400) as followed,
        count(*) as n
    from warehouse.marts.fct_contact as contact
    left join by_incident on contact.linked_incident_id = by_incident.incident_id
    left join by_contact on contact.contact_id = by_contact.contact_id
    group by all
),

alike as (
    select
        agency_id,
        month,
        offered,
        accepted,
        is_unknown,
        is_pending,
        is_engaged_30,
        is_engaged_90,
        kept_day is null as is_not_kept,
        window_within(kept_day) as kept,
        window_reached(followed_days) as followed,
        count(*) as n
    from referral
    where referred_at is not null
    group by all
),

-- The answer: 1, 0, or 2 where it is not known.
asked as (
    select
        agency_id,
        month,
        metric_id,
        basis_code,
        outcome_code,
        window_days,
        n,
        case basis_code when 'offered' then offered else accepted end as in_basis,
        followed >= window_days as is_followed,
        case outcome_code
            when 'accepted' then case accepted when 'yes' then 1 when 'no' then 0 else 2 end
            when 'declined' then case accepted when 'yes' then 0 when 'no' then 1 else 2 end
            when 'linked' then case when kept <= window_days then 1 when is_unknown then 2 else 0 end
            when 'engaged' then case
                when if(window_days = 30, is_engaged_30, is_engaged_90) then 1 when is_unknown then 2 else 0
            end
            else (is_unknown or (is_not_kept and is_pending))::int
        end as answer
    from alike
    cross join (
        values
        ('M31', 'offered', 'accepted', 0),
        ('M31', 'offered', 'declined', 0),
        ('M32', 'offered', 'linked', 7),
        ('M32', 'offered', 'linked', 14),
        ('M32', 'offered', 'linked', 30),
        ('M32', 'offered', 'linked', 90),
        ('M32', 'accepted', 'linked', 7),
        ('M32', 'accepted', 'linked', 14),
        ('M32', 'accepted', 'linked', 30),
        ('M32', 'accepted', 'linked', 90),
        ('M34', 'accepted', 'engaged', 30),
        ('M34', 'accepted', 'engaged', 90),
        ('M35', 'accepted', 'outcome_unknown', 30)
    ) as results (metric_id, basis_code, outcome_code, window_days)
    union all
    select
        agency_id,
        month,
        metric_id,
        'contact',
        outcome_code,
        window_days,
        n,
        'yes',
        followed >= window_days,
        case
            when outcome_code = 'offered' then is_offered::int
            when kept <= window_days then 1
            when is_unknown then 2
            else 0
        end
    from contact
    cross join (
        values
        ('M31b', 'offered', 0), ('M32b', 'linked', 7), ('M32b', 'linked', 14), ('M32b', 'linked', 30),
        ('M32b', 'linked', 90)
    ) as results (metric_id, outcome_code, window_days)
    where agency_id in (select agency_id from contact where is_named)
)

select
    agency_id,
    month,
    metric_id,
    basis_code,
    outcome_code,
    window_days,
    sum(n)::bigint as considered_count,
    coalesce(sum(n) filter (in_basis = 'no'), 0)::bigint as not_in_basis_count,
    coalesce(sum(n) filter (in_basis = 'unknown'), 0)::bigint as basis_unknown_count,
    coalesce(sum(n) filter (in_basis = 'yes' and not is_followed), 0)::bigint as censored_count,
    coalesce(sum(n) filter (in_basis = 'yes' and is_followed and answer = 2), 0)::bigint as unknown_count,
    coalesce(sum(n) filter (in_basis = 'yes' and is_followed and answer < 2), 0)::bigint as denominator_count,
    coalesce(sum(n) filter (in_basis = 'yes' and is_followed and answer = 1), 0)::bigint as outcome_count,
    case when denominator_count > 0 then round(outcome_count / denominator_count, 6) end as outcome_share,
    case
        when denominator_count + unknown_count > 0 then round(outcome_count / (denominator_count + unknown_count), 6)
    end as lowest_share
from asked
group by all;

-- The first service is the event, death before it competes, and who is still waiting is censored: twelve months.
create table met_outcome__time_to_service as
with cohort as (
    select distinct
        agency_id,
        month,
        month_number(month) as month_number
    from referral
    where month <> 'unknown'
),

ended as (
    select
        agency_id,
        month_number(month) as month_number,
        kept_day <= coalesce(death_day, kept_day) as is_kept,
        death_day <= followed_days as is_dead,
        case
            when is_unknown then 'unknown'
            when is_kept then 'kept'
            when is_dead then 'died'
            when followed_days >= 0 then 'censored'
            else 'unknown'
        end as end_code,
        greatest(case when is_kept then kept_day when is_dead then death_day else followed_days end, 0) as day,
        count(*) as n
    from referral
    where referred_at is not null and accepted = 'yes' and month <> 'unknown'
    group by all
),

by_day as materialized (
    select
        cohort.agency_id,
        cohort.month,
        case when end_code <> 'unknown' then day end as day,
        sum(n) as leaving,
        coalesce(sum(n) filter (end_code = 'kept'), 0) as kept,
        coalesce(sum(n) filter (end_code = 'died'), 0) as died
    from ended
    inner join cohort
        on
            ended.agency_id = cohort.agency_id
            and ended.month_number between cohort.month_number - 11 and cohort.month_number
    group by all
),

at_risk as (
    select
        *,
        sum(leaving) over (
            partition by agency_id, month order by day desc rows unbounded preceding
        )::double as at_risk
    from by_day
    where day is not null
),

-- Kaplan-Meier, by the sum of logarithms: all served makes it zero.
curve as (
    select
        *,
        case
            when bool_or(kept = at_risk) over so_far then 0
            else exp(sum(ln(1 - if(kept < at_risk, kept, 0) / at_risk)) over so_far)
        end as waiting,
        exp(coalesce(sum(ln(1 - if(kept + died < at_risk, kept + died, 0) / at_risk)) over before, 0)) as event_free
    from at_risk
    window
        so_far as (partition by agency_id, month order by day rows unbounded preceding),
        before as (partition by agency_id, month order by day rows between unbounded preceding and 1 preceding)
),

-- Aalen-Johansen: of those still without any event, the share served that day.
incidence as (
    select
        agency_id,
        month,
        min(day) filter (waiting <= 0.5 + 1e-9) as median_days,
        map([7, 14, 30, 90], [
            min(waiting) filter (day <= 7), min(waiting) filter (day <= 14), min(waiting) filter (day <= 30),
            min(waiting) filter (day <= 90)
        ]) as waiting,
        map([7, 14, 30, 90], [
            sum(event_free * kept / at_risk) filter (day <= 7), sum(event_free * kept / at_risk) filter (day <= 14),
            sum(event_free * kept / at_risk) filter (day <= 30), sum(event_free * kept / at_risk) filter (day <= 90)
        ]) as served
    from curve
    group by agency_id, month
),

total as (
    select
        agency_id,
        month,
        sum(leaving)::bigint as considered_count,
        coalesce(sum(leaving) filter (day is null), 0)::bigint as unknown_count,
        considered_count - unknown_count as denominator_count,
        sum(kept)::bigint as kept_count,
        sum(died)::bigint as died_count,
        denominator_count - kept_count - died_count as censored_count,
        max(day) as longest_day
    from by_day
    group by agency_id, month
)

select
    cohort.agency_id,
    cohort.month,
    days_after,
    coalesce(considered_count, 0) as considered_count,
    coalesce(unknown_count, 0) as unknown_count,
    coalesce(denominator_count, 0) as denominator_count,
    coalesce(kept_count, 0) as kept_count,
    coalesce(died_count, 0) as died_count,
    coalesce(censored_count, 0) as censored_count,
    case
        when longest_day >= days_after or waiting[days_after] = 0
            then round(coalesce(1 - waiting[days_after], 0), 6)
    end as served_kaplan_meier_share,
    case when longest_day >= days_after or waiting[days_after] = 0 then round(coalesce(served[days_after], 0), 6) end
        as served_competing_share,
    median_days
from cohort
cross join (values (7), (14), (30), (90)) as days (days_after)
left join total using (agency_id, month)
left join incidence using (agency_id, month);

-- Events before and after enrollment, next to people who were referred to the agency and never enrolled there.
create table met_outcome__before_after as
with enrolled as materialized (
    select
        'enrolled' as group_code,
        enrollment.agency_id,
        enrollment.month,
        enrollment.program_enrollment_id as record_id,
        enrollment.enrolled_at as index_at,
        coalesce(enrollment.contact_id, referral.contact_id) as contact_id,
        referral.incident_id,
        care_person.care_person_key
    from warehouse.marts.fct_program_enrollment as enrollment
    left join referral
        on
            enrollment.agency_id = referral.agency_id
            and enrollment.referral_id = referral.referral_id
    left join care_person
        on
            care_person.entity = 'program_enrollment'
            and enrollment.program_enrollment_id = care_person.record_id
),

entered as (
    from enrolled
    union all
    select
        'referred_not_enrolled',
        agency_id,
        month,
        referral_id,
        referred_at,
        contact_id,
        incident_id,
        care_person_key
    from referral
    anti join enrolled using (agency_id, care_person_key)
),

-- A person counts once: at the first enrollment, or else the first referral, at the agency.
entry as materialized (
    select
        entered.*,
        died.death_date::timestamptz as died_at,
        case
            when care_person_key is null then 'not_linked'
            when index_at is null then 'undated'
            when row_number() over (
                partition by group_code, agency_id, care_person_key order by index_at, record_id
            ) > 1 then 'not_first'
        end as left_out
    from entered
    left join died using (care_person_key)
),

event as materialized (
    select
        event.care_person_key,
        event.event_kind_code,
        event.agency_id,
        event.record_id,
        event.incident_id,
        event.contact_id,
        event.started_at,
        event.ended_at
    from warehouse.marts.fct_care_event as event
    semi join entry on event.care_person_key = entry.care_person_key
    where event.event_kind_code <> 'referral'
),

encounter as materialized (
    select
        care_person_key,
        event_kind_code,
        min(agency_id) as agency_id,
        min(contact_id) as contact_id,
        min(incident_id) as incident_id,
        min(started_at) as started_at
    from event
    where event_kind_code in ('contact', 'booking', 'ed_visit')
    group by
        care_person_key,
        event_kind_code,
        coalesce(case when event_kind_code = 'contact' then incident_id end, record_id)
),

-- A contact starts with its call.
span as (
    select
        contact.agency_id,
        'contact' as event_kind_code,
        min(coalesce(received_at, occurred_at, reported_at)) as first_at,
        max(coalesce(received_at, occurred_at, reported_at)) as last_at
    from warehouse.marts.fct_contact as contact
    left join (
        select
            incident_id,
            received_at
        from warehouse.marts.fct_incident
        where bh_field_form <> 'no'
    ) as incident on contact.linked_incident_id = incident.incident_id
    group by contact.agency_id
    union all
    select
        agency_id,
        'booking',
        min(booked_at),
        max(booked_at)
    from warehouse.marts.fct_jail_booking
    group by agency_id
    union all
    select
        agency_id,
        'ed_visit',
        min(arrived_at),
        max(arrived_at)
    from warehouse.marts.fct_ed_visit
    group by agency_id
),

-- Records of a kind are whole while every agency that tells of these people sends them.
observed as materialized (
    select
        sender.agency_id,
        sender.event_kind_code,
        max(span.first_at) as first_at,
        min(span.last_at) as last_at
    from (
        select distinct
            entry.agency_id,
            encounter.event_kind_code,
            encounter.agency_id as sender_id
        from entry
        inner join encounter using (care_person_key)
    ) as sender
    inner join span on sender.sender_id = span.agency_id and sender.event_kind_code = span.event_kind_code
    group by all
),

classed as materialized (
    select
        entry.* exclude (left_out),
        observed.event_kind_code,
        window_days,
        index_at - to_hours(window_days * 24) as begins_at,
        index_at + to_hours(window_days * 24) as ends_at,
        case
            when died_at < ends_at then 'died'
            when first_at > begins_at then 'censored_before'
            when last_at < ends_at then 'censored_after'
            else 'observed'
        end as class
    from entry
    inner join observed using (agency_id)
    cross join (values (30), (90), (180), (365)) as windows (window_days)
    where left_out is null
),

-- Not at liberty: in jail, held, or in a hospital bed. Stays that touch are one; one without a release lasts.
stay as (
    select
        care_person_key,
        started_at,
        case
            when ended_at >= started_at then ended_at
            when event_kind_code = 'booking' then timestamptz '9999-01-01 00:00:00+00'
            else started_at
        end as ended_at
    from event
    where event_kind_code in ('booking', 'hold', 'inpatient_stay')
),

away as (
    select
        care_person_key,
        min(started_at) as started_at,
        max(ended_at) as ended_at
    from (
        select
            *,
            sum(is_new) over (
                partition by care_person_key order by started_at, ended_at rows unbounded preceding
            ) as number
        from (
            select
                *,
                coalesce(started_at > max(ended_at) over (
                    partition by care_person_key order by started_at, ended_at
                    rows between unbounded preceding and 1 preceding
                ), true)::int as is_new
            from stay
        )
    )
    group by care_person_key, number
),

counted as (
    select
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        class,
        count(*) as n
    from classed
    group by all
    union all
    select
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        left_out,
        count(*) as n
    from entry
    inner join observed using (agency_id)
    cross join (values (30), (90), (180), (365)) as windows (window_days)
    where left_out is not null
    group by all
),

placed as (
    select
        classed.agency_id,
        classed.month,
        classed.group_code,
        classed.event_kind_code,
        window_days,
        count(*) filter (started_at <= index_at) as before_events,
        count(*) filter (started_at > index_at) as after_events,
        count(*) filter (started_at <= index_at and (
            encounter.contact_id = classed.contact_id or encounter.incident_id = classed.incident_id
        )) as leading_events
    from classed
    inner join encounter
        on
            classed.care_person_key = encounter.care_person_key
            and classed.event_kind_code = encounter.event_kind_code
            and encounter.started_at between classed.begins_at and classed.ends_at
    where class = 'observed'
    group by all
),

absent as (
    select
        classed.agency_id,
        classed.month,
        classed.group_code,
        classed.event_kind_code,
        window_days,
        sum(overlap(away.started_at, away.ended_at, begins_at, index_at)) / 86400 as before_days,
        sum(overlap(away.started_at, away.ended_at, index_at, ends_at)) / 86400 as after_days
    from classed
    inner join away
        on
            classed.care_person_key = away.care_person_key
            and classed.begins_at < away.ended_at
            and classed.ends_at > away.started_at
    where class = 'observed'
    group by all
),

summed as (
    select
        agency_id,
        month,
        group_code,
        event_kind_code,
        window_days,
        coalesce(sum(n), 0)::bigint as considered_count,
        coalesce(sum(n) filter (class = 'not_linked'), 0)::bigint as not_linked_count,
        coalesce(sum(n) filter (class = 'undated'), 0)::bigint as undated_count,
        coalesce(sum(n) filter (class = 'not_first'), 0)::bigint as not_first_count,
        coalesce(sum(n) filter (class = 'died'), 0)::bigint as died_count,
        coalesce(sum(n) filter (class = 'censored_before'), 0)::bigint as censored_before_count,
        coalesce(sum(n) filter (class = 'censored_after'), 0)::bigint as censored_after_count,
        coalesce(sum(n) filter (class = 'observed'), 0)::bigint as denominator_count
    from (select distinct agency_id, month from entry)
    inner join observed using (agency_id)
    cross join (values ('enrolled'), ('referred_not_enrolled')) as groups (group_code)
    cross join (values (30), (90), (180), (365)) as windows (window_days)
    left join counted using (agency_id, month, group_code, event_kind_code, window_days)
    group by all
),

-- Before and after is told of both groups or of none.
compared as (
    select
        *,
        min(denominator_count) over (partition by agency_id, month, event_kind_code, window_days) > 0 as is_compared
    from summed
)

select
    compared.* exclude (is_compared),
    case when is_compared then coalesce(leading_events, 0) end as leading_events,
    case when is_compared then coalesce(before_events, 0) end as before_events,
    case when is_compared then coalesce(after_events, 0) end as after_events,
    case when is_compared then round(denominator_count * window_days - coalesce(before_days, 0), 2) end
        as before_at_liberty_days,
    case when is_compared then round(denominator_count * window_days - coalesce(after_days, 0), 2) end
        as after_at_liberty_days,
    case when before_at_liberty_days > 0 then round(coalesce(before_events, 0) * 100 / before_at_liberty_days, 6) end
        as before_events_per_100_days,
    case when after_at_liberty_days > 0 then round(coalesce(after_events, 0) * 100 / after_at_liberty_days, 6) end
        as after_events_per_100_days
from compared
left join placed using (agency_id, month, group_code, event_kind_code, window_days)
left join absent using (agency_id, month, group_code, event_kind_code, window_days);
