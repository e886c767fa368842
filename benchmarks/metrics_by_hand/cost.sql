-- Makes the six tables of cost: components, cost per response, repeat responses, programs, avoided cost, perspectives.

-- Prices: the default, and the lowest and highest of its sources.
create or replace temp table rate as
select
    item_code,
    price_kind_code as kind,
    max(price_central_usd) filter (is_default) as central,
    min(price_low_usd) as low,
    max(price_high_usd) as high
from warehouse.marts.dim_cost_parameter
where price_central_usd is not null and price_kind_code in ('capacity', 'cash')
group by all
having bool_or(is_default);

create or replace temp macro usd(amount) as round(amount, 2)::decimal(18, 2);
create or replace temp macro tally(component, n, known, event, base) as {
    'component_code': component, 'considered': n, 'known': known, 'event': event, 'base': base::decimal(38, 4)
};

create table met_cost__component as
with unit_sum as (
    select
        agency_id,
        month,
        response_model_code as model,
        bh_call_type_initial = 'yes' as is_initial,
        bh_call_type_final = 'yes' as is_final,
        bh_field_form = 'yes' as is_form,
        count(*) as n,
        count(officer_seconds) as officer_known,
        count(*) filter (officer_seconds > 0) as officer_event,
        sum(officer_seconds) as officer_base,
        count(clinician_seconds) as clinician_known,
        count(*) filter (clinician_seconds > 0) as clinician_event,
        sum(clinician_seconds) as clinician_base,
        count(at_destination_at) as wait_n,
        count(wall_seconds * officer_count) filter (at_destination_at is not null) as wait_known,
        count(*) filter (at_destination_at is not null and wall_seconds * officer_count > 0) as wait_event,
        sum(wall_seconds * officer_count) filter (at_destination_at is not null) as wait_base,
        count(vehicle_miles) as vehicle_known,
        count(*) filter (vehicle_miles > 0) as vehicle_event,
        sum(vehicle_miles::decimal(18, 4)) as vehicle_base
    from warehouse.marts.fct_unit_response
    where response_scope_code = 'unit'
    group by all
),

call_month as (
    select distinct agency_id, month
    from warehouse.marts.fct_incident
),

by_method as (
    select
        unit_sum.*,
        method.identification_method_code
    from unit_sum
    cross join (
        values ('not_applicable'), ('call_type_initial'), ('call_type_final'), ('field_form')
    ) as method (identification_method_code)
    where
        case identification_method_code
            when 'not_applicable' then true
            when 'field_form' then is_form
            when 'call_type_initial' then is_initial and (agency_id, month) in (from call_month)
            else is_final and (agency_id, month) in (from call_month)
        end
),

quantity as (
    select
        agency_id,
        month,
        identification_method_code,
        if(grouping(model) = 1, 'all', 'response_model') as slice_code,
        if(grouping(model) = 1, 'all', model) as slice_value,
        unnest([
            tally('officer_time', sum(n), sum(officer_known), sum(officer_event), sum(officer_base)),
            tally('clinician_time', sum(n), sum(clinician_known), sum(clinician_event), sum(clinician_base)),
            tally('handover_wait', sum(wait_n), sum(wait_known), sum(wait_event), sum(wait_base)),
            tally('vehicle', sum(n), sum(vehicle_known), sum(vehicle_event), sum(vehicle_base))
        ], recursive := true)
    from by_method
    group by grouping sets (
        (agency_id, month, identification_method_code), (agency_id, month, identification_method_code, model)
    )
    union all
    select
        agency_id,
        month,
        'field_form',
        if(grouping(response_model_code) = 1, 'all', 'response_model'),
        if(grouping(response_model_code) = 1, 'all', response_model_code),
        unnest([
            tally('booking', count(*), count(booked), sum(booked), sum(booked)),
            tally('ed_arrival', count(*), count(ed), sum(ed), sum(ed)),
            tally('force', count(*), count(force), sum(force), sum(force)),
            tally('injury', count(*), count(injury), sum(injury), sum(injury)),
            tally(
                'report_writing', count(*), count(report_minutes), count(*) filter (report_minutes > 0),
                sum(report_minutes)
            )
        ], recursive := true)
    from (
        select
            agency_id,
            month,
            response_model_code,
            report_minutes,
            case enforcement_code when 'booked' then 1 when 'cited' then 0 when 'none' then 0 end as booked,
            case
                when destination_code in ('ed', 'psychiatric_ed') then 1
                when destination_code not in (
                    'hospital', 'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                ) then 0
            end as ed,
            case force_used when 'yes' then 1 when 'no' then 0 end as force,
            case injury when 'yes' then 1 when 'no' then 0 end as injury
        from warehouse.marts.fct_contact
    )
    group by grouping sets ((agency_id, month), (agency_id, month, response_model_code))
    union all
    -- Of a month without a row: zero trips and hours of overtime, where the agency sends them at all.
    select
        agency_id,
        month,
        'not_applicable',
        'all',
        'all',
        'ambulance_trip',
        coalesce(n, 0),
        coalesce(known, 0),
        event,
        event
    from warehouse.staging.stg_agency_month as month
    left join (
        select
            agency_id,
            month,
            count(*) as n,
            count(*) filter (transport_mode_code not in (
                'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
            )) as known,
            count(*) filter (transport_mode_code = 'ems') as event
        from warehouse.marts.fct_transport
        group by all
    ) as trip using (agency_id, month)
    where agency_id in (select agency_id from warehouse.marts.fct_transport)
    union all
    select
        agency_id,
        month,
        'not_applicable',
        'all',
        'all',
        'overtime',
        coalesce(n, 0),
        coalesce(known, 0),
        event,
        base
    from warehouse.staging.stg_agency_month as month
    left join (
        select
            agency_id,
            month,
            count(*) as n,
            count(overtime_hours) as known,
            count(*) filter (overtime_hours > 0) as event,
            sum(overtime_hours::decimal(18, 4)) as base
        from warehouse.marts.fct_shift
        group by all
    ) as shift using (agency_id, month)
    where agency_id in (select agency_id from warehouse.marts.fct_shift)
    union all
    select
        agency_id,
        month,
        'not_applicable',
        'all',
        'all',
        'jail_day',
        count(*),
        count(stay_seconds),
        count(*) filter (stay_seconds > 0),
        sum(stay_seconds)
    from warehouse.marts.fct_jail_booking
    group by agency_id, month
    union all
    select
        agency_id,
        month,
        'not_applicable',
        'all',
        'all',
        'ed_visit',
        count(*),
        count(*),
        count(*),
        count(*)
    from warehouse.marts.fct_ed_visit
    group by agency_id, month
    union all
    select
        agency_id,
        month,
        'not_applicable',
        'all',
        'all',
        'inpatient_day',
        count(*),
        count(seconds),
        count(*) filter (seconds > 0),
        sum(seconds)
    from (
        select
            agency_id,
            month,
            case
                when discharged_at >= admitted_at
                    then epoch_us(discharged_at) // 1000000 - epoch_us(admitted_at) // 1000000
            end as seconds
        from warehouse.marts.fct_inpatient_stay
    )
    group by agency_id, month
)

select
    quantity.agency_id,
    month,
    'M46.' || component.component_code as metric_id,
    identification_method_code,
    component.component_code,
    slice_code,
    slice_value,
    if(component.payer_rule_code = 'agency', coalesce(payer.payer_code, 'not_recorded'), component.payer_rule_code)
        as payer_code,
    component.is_hidden,
    component.part_of_code,
    considered::bigint as considered_count,
    known::bigint as known_count,
    considered_count - known_count as unknown_count,
    coalesce(event, 0)::bigint as event_count,
    if(known > 0, round(base::double / component.base_per_unit, 4), null) as quantity,
    component.quantity_unit,
    capacity.central as capacity_rate_central_usd,
    capacity.low as capacity_rate_low_usd,
    capacity.high as capacity_rate_high_usd,
    cash.central as cash_rate_central_usd,
    cash.low as cash_rate_low_usd,
    cash.high as cash_rate_high_usd,
    if(known > 0, usd(base * capacity.central / component.base_per_unit), null) as capacity_central_usd,
    if(known > 0, usd(base * capacity.low / component.base_per_unit), null) as capacity_low_usd,
    if(known > 0, usd(base * capacity.high / component.base_per_unit), null) as capacity_high_usd,
    if(known > 0, usd(base * cash.central / component.base_per_unit), null) as cash_central_usd,
    if(known > 0, usd(base * cash.low / component.base_per_unit), null) as cash_low_usd,
    if(known > 0, usd(base * cash.high / component.base_per_unit), null) as cash_high_usd
from quantity
inner join warehouse.reference.cost_component as component using (component_code)
inner join warehouse.marts.dim_agency as agency on quantity.agency_id = agency.agency_id
left join warehouse.reference.cost_payer as payer on agency.agency_type_code = payer.agency_type_code
left join rate as capacity on component.item_code = capacity.item_code and capacity.kind = 'capacity'
left join rate as cash on component.item_code = cash.item_code and cash.kind = 'cash';

create table met_cost__cost_per_response as
with call as (
    select
        agency_id,
        month,
        bh_call_type_initial = 'yes' as is_initial,
        bh_call_type_final = 'yes' as is_final,
        bh_field_form = 'yes' as is_form,
        exclusion_code,
        has_unit_response,
        officer_seconds is not null as is_officer_known,
        clinician_seconds is not null as is_clinician_known,
        count(*) as n,
        count(*) filter (not is_exclusion_known) as exclusion_unknown,
        coalesce(sum(officer_seconds), 0) as officer_seconds,
        coalesce(sum(clinician_seconds), 0) as clinician_seconds
    from warehouse.marts.fct_incident
    group by all
),

by_method as (
    select
        call.*,
        exclusion_code = 'none' and has_unit_response as is_response,
        method.identification_method_code
    from call
    cross join (
        values ('not_applicable'), ('call_type_initial'), ('call_type_final'), ('field_form')
    ) as method (identification_method_code)
    where
        case identification_method_code
            when 'not_applicable' then true
            when 'field_form' then is_form
            when 'call_type_initial' then is_initial
            else is_final
        end
),

tally as (
    select
        agency_id,
        month,
        identification_method_code,
        sum(n) as considered,
        sum(n) filter (exclusion_code = 'duplicate') as duplicate,
        sum(n) filter (exclusion_code = 'self_initiated') as self_initiated,
        sum(n) filter (exclusion_code = 'cancelled') as cancelled,
        sum(n) filter (exclusion_code = 'none' and not has_unit_response) as no_unit,
        sum(n) filter (is_response) as response,
        sum(exclusion_unknown) filter (is_response) as exclusion_unknown,
        unnest([
            {'item_code': 'officer_hour', 'known': sum(n) filter (is_response and is_officer_known),
                'officer': sum(officer_seconds) filter (is_response and is_officer_known), 'clinician': 0},
            {'item_code': 'clinician_hour', 'known': sum(n) filter (is_response and is_clinician_known),
                'officer': 0, 'clinician': sum(clinician_seconds) filter (is_response and is_clinician_known)},
            {'item_code': 'officer_and_clinician_hour',
                'known': sum(n) filter (is_response and is_officer_known and is_clinician_known),
                'officer': sum(officer_seconds) filter (is_response and is_officer_known and is_clinician_known),
                'clinician': sum(clinician_seconds) filter (is_response and is_officer_known and is_clinician_known)}
        ], recursive := true)
    from by_method
    group by agency_id, month, identification_method_code
),

price as (
    select
        max(central) filter (item_code = 'officer_hour') as officer_central,
        max(low) filter (item_code = 'officer_hour') as officer_low,
        max(high) filter (item_code = 'officer_hour') as officer_high,
        max(central) filter (item_code = 'clinician_hour') as clinician_central,
        max(low) filter (item_code = 'clinician_hour') as clinician_low,
        max(high) filter (item_code = 'clinician_hour') as clinician_high
    from rate
    where kind = 'capacity'
),

costed as (
    select
        tally.*,
        (coalesce(officer, 0) * officer_central + coalesce(clinician, 0) * clinician_central) / 3600 as central_usd,
        (coalesce(officer, 0) * officer_low + coalesce(clinician, 0) * clinician_low) / 3600 as low_usd,
        (coalesce(officer, 0) * officer_high + coalesce(clinician, 0) * clinician_high) / 3600 as high_usd
    from tally
    cross join price
),

-- Months of units without a call are told as zero; by call type they are not.
told as (
    select
        month.*,
        method.identification_method_code,
        item.item_code
    from (select distinct agency_id, month from warehouse.marts.fct_unit_response) as month
    cross join (
        values ('not_applicable'), ('call_type_initial'), ('call_type_final'), ('field_form')
    ) as method (identification_method_code)
    cross join (values ('officer_hour'), ('clinician_hour'), ('officer_and_clinician_hour')) as item (item_code)
    where identification_method_code not like 'call_type_%' or (agency_id, month) in (select agency_id, month from call)
)

select
    told.*,
    coalesce(considered, 0)::bigint as considered_count,
    coalesce(duplicate, 0)::bigint as duplicate_count,
    coalesce(self_initiated, 0)::bigint as self_initiated_count,
    coalesce(cancelled, 0)::bigint as cancelled_count,
    coalesce(no_unit, 0)::bigint as no_unit_count,
    coalesce(response, 0)::bigint as response_count,
    coalesce(known, 0)::bigint as known_count,
    response_count - known_count as unknown_count,
    coalesce(exclusion_unknown, 0)::bigint as exclusion_unknown_count,
    if(known > 0, round((coalesce(officer, 0) + coalesce(clinician, 0))::double / 3600, 4), null) as item_hours,
    rate.central as rate_central_usd,
    rate.low as rate_low_usd,
    rate.high as rate_high_usd,
    if(known > 0, usd(central_usd), null) as labor_cost_central_usd,
    if(known > 0, usd(low_usd), null) as labor_cost_low_usd,
    if(known > 0, usd(high_usd), null) as labor_cost_high_usd,
    if(known > 0, usd(central_usd / known), null) as cost_per_response_central_usd,
    if(known > 0, usd(low_usd / known), null) as cost_per_response_low_usd,
    if(known > 0, usd(high_usd / known), null) as cost_per_response_high_usd
from told
left join costed using (agency_id, month, identification_method_code, item_code)
left join rate on told.item_code = rate.item_code and rate.kind = 'capacity';

-- Calls with a form whose person had a call with a form before; of several persons the one who was met last.
create table met_cost__repeat_response as
with met_call as materialized (
    select
        agency_id,
        month,
        incident_id,
        received_at
    from warehouse.marts.fct_incident
    where
        bh_field_form = 'yes'
        and received_at is not null
        and incident_id in (select linked_incident_id from warehouse.marts.fct_contact)
),

since as (
    select
        incident_id,
        min(since_seconds) as since_seconds
    from (
        select
            incident_id,
            epoch_us(received_at) // 1000000
            - epoch_us(lag(received_at) over (partition by person_key order by received_at, incident_id)) // 1000000
                as since_seconds
        from (
            select distinct
                event.person_key,
                met_call.incident_id,
                met_call.received_at
            from met_call
            inner join warehouse.marts.fct_person_event as event using (incident_id)
            where event.event_kind_code = 'contact'
        )
    )
    group by incident_id
),

begun as (
    select
        agency_id,
        min(received_at) as first_at
    from met_call
    group by agency_id
),

spent as (
    select
        incident_id,
        count(*) as units,
        count(officer_seconds) as officer_known,
        count(clinician_seconds) as clinician_known,
        sum(officer_seconds) as officer_seconds,
        sum(clinician_seconds) as clinician_seconds
    from warehouse.marts.fct_unit_response
    where
        response_scope_code = 'unit'
        and bh_field_form = 'yes'
        and incident_id in (select incident_id from since where since_seconds <= 90 * 86400)
    group by incident_id
),

classed as (
    select
        met_call.agency_id,
        met_call.month,
        met_call.incident_id,
        window_days,
        case
            when since.incident_id is null then 'not_linked'
            when since_seconds <= window_days * 86400 then 'repeat'
            when epoch_us(received_at) // 1000000 - epoch_us(first_at) // 1000000 < window_days * 86400
                then 'not_observed'
            else 'first'
        end as class
    from met_call
    cross join (values (30), (90)) as windows (window_days)
    inner join begun using (agency_id)
    left join since using (incident_id)
),

counted as (
    select
        agency_id,
        month,
        window_days,
        count(*) as considered_count,
        count(*) filter (class = 'not_linked') as not_linked_count,
        count(*) filter (class = 'not_observed') as not_observed_count,
        count(*) filter (class = 'first') as first_count,
        count(*) filter (class = 'repeat') as repeat_count
    from classed
    group by all
),

used as (
    select
        agency_id,
        month,
        window_days,
        unnest([
            {'item_code': 'officer_hour', 'known': sum(officer_known), 'unknown': sum(units - officer_known),
                'seconds': sum(officer_seconds)},
            {'item_code': 'clinician_hour', 'known': sum(clinician_known), 'unknown': sum(units - clinician_known),
                'seconds': sum(clinician_seconds)}
        ], recursive := true)
    from classed
    inner join spent using (incident_id)
    where class = 'repeat'
    group by agency_id, month, window_days
)

select
    counted.*,
    'person' as basis_code,
    items.item_code,
    coalesce(known, 0)::bigint as known_count,
    coalesce(unknown, 0)::bigint as unknown_count,
    if(known > 0, round(seconds::double / 3600, 4), null) as spent_hours,
    rate.central as capacity_rate_central_usd,
    rate.low as capacity_rate_low_usd,
    rate.high as capacity_rate_high_usd,
    if(known > 0, usd(seconds * rate.central / 3600), null) as capacity_central_usd,
    if(known > 0, usd(seconds * rate.low / 3600), null) as capacity_low_usd,
    if(known > 0, usd(seconds * rate.high / 3600), null) as capacity_high_usd
from counted
cross join (values ('officer_hour'), ('clinician_hour')) as items (item_code)
left join used using (agency_id, month, window_days, item_code)
left join rate on items.item_code = rate.item_code and rate.kind = 'capacity';

create or replace temp table choice as
select
    max(value) filter (choice_code = 'price_year')::int as price_year,
    max(value) filter (choice_code = 'amortization_years')::int as amortization_years
from warehouse.reference.cost_choice;

create or replace temp table price_index as
select
    year,
    value,
    max(value) filter (year = (select price_year from choice)) over () as chosen
from warehouse.reference.price_index
where series = 'cpi_u';

-- Who bears what an agency spends.
create or replace temp table payer as
select
    agency.agency_id,
    coalesce(payer.payer_code, 'not_recorded') as payer_code
from warehouse.marts.dim_agency as agency
left join warehouse.reference.cost_payer as payer using (agency_type_code);

-- Months of a program's run to the last contact. Parts are differences of what the sums came to, to the cent.
create table met_cost__program as
with run as (
    select
        program.agency_id,
        program.program_id,
        program.program_number,
        program.program_model_code,
        program.budget_year,
        program.annual_budget_usd,
        program.start_up_cost_usd,
        program.start_date,
        program.end_date,
        unnest(generate_series(
            date_trunc('month', program.start_date)::timestamp,
            least((last.month || '-01')::timestamp, program.end_date::timestamp),
            interval 1 month
        ))::date as first_day
    from warehouse.marts.fct_program as program
    inner join (
        select
            agency_id,
            max(month) as month
        from warehouse.marts.fct_contact
        where month <> 'unknown'
        group by agency_id
    ) as last using (agency_id)
    where program.start_date is not null
),

so_far as (
    select
        run.*,
        strftime(first_day, '%Y-%m') as month,
        least(last_day(first_day), end_date) - greatest(first_day, start_date) + 1 as days_run,
        least(last_day(first_day), end_date) - start_date + 1 as days_so_far,
        datediff('month', start_date, first_day) + 1 as months_so_far,
        amortization_years * 12 as share_months,
        floor(annual_budget_usd * 100 * days_so_far / 365)
        - floor(annual_budget_usd * 100 * (days_so_far - days_run) / 365) as budget_cents,
        floor(start_up_cost_usd * 100 * least(months_so_far, share_months) / share_months)
        - floor(start_up_cost_usd * 100 * least(months_so_far - 1, share_months) / share_months) as start_up_cents
    from run
    cross join choice
),

loaded as (
    select
        so_far.*,
        (budget_cents / 100)::decimal(18, 2) as budget_usd,
        (start_up_cents / 100)::decimal(18, 2) as start_up_part_usd,
        usd(budget_usd * budget_index.chosen / budget_index.value) as budget_price_year_usd,
        usd(start_up_part_usd * start_index.chosen / start_index.value) as start_up_part_price_year_usd
    from so_far
    left join price_index as budget_index on so_far.budget_year = budget_index.year
    left join price_index as start_index on year(so_far.start_date) = start_index.year
),

served as (
    select
        agency_id,
        program_id,
        month,
        count(*) as contacts
    from warehouse.marts.fct_contact
    where program_id is not null and month <> 'unknown'
    group by all
)

select
    agency_id,
    month,
    program_id,
    program_number,
    program_model_code,
    payer_code,
    days_run::int as days_run,
    budget_year,
    budget_usd,
    start_up_cost_usd::decimal(18, 2) as start_up_cost_usd,
    start_up_part_usd,
    budget_price_year_usd,
    start_up_part_price_year_usd,
    (budget_price_year_usd + coalesce(start_up_part_price_year_usd, 0))::decimal(18, 2) as fully_loaded_price_year_usd,
    coalesce(contacts, 0) as contact_count,
    if(contacts > 0, usd(fully_loaded_price_year_usd / contacts), null) as cost_per_contact_usd
from loaded
inner join payer using (agency_id)
left join served using (agency_id, program_id, month);

-- A number between 0 and 1 that hangs on the row and the draw alone, and a standard normal one of two of them.
create or replace temp macro uniform(text) as ('0x' || substr(md5(text), 1, 13))::bigint::double / 4503599627370496;
create or replace temp macro normal(one, two) as sqrt(-2 * ln(1 - uniform(one))) * cos(2 * pi() * uniform(two));
create or replace temp macro cut(share) as least(greatest(share, 0), 1);
-- Standard error of a share by Agresti and Coull (1998).
create or replace temp macro share_error(events, n) as sqrt((events + 2.0) * (n - events + 2.0) / power(n + 4.0, 3));

create or replace temp table effect as
with tally as materialized (
    select
        agency_id,
        program_id,
        month,
        response_model_code,
        unnest([
            tally('booking', count(*), count(booked), sum(booked), 0),
            tally('ed_arrival', count(*), count(ed), sum(ed), 0),
            tally('force', count(*), count(force), sum(force), 0),
            tally('injury', count(*), count(injury), sum(injury), 0)
        ], recursive := true)
    from (
        select
            agency_id,
            program_id,
            month,
            response_model_code,
            case enforcement_code when 'booked' then 1 when 'cited' then 0 when 'none' then 0 end as booked,
            case
                when destination_code in ('ed', 'psychiatric_ed') then 1
                when destination_code not in (
                    'hospital', 'not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable'
                ) then 0
            end as ed,
            case force_used when 'yes' then 1 when 'no' then 0 end as force,
            case injury when 'yes' then 1 when 'no' then 0 end as injury
        from warehouse.marts.fct_contact
        where month <> 'unknown'
    )
    group by agency_id, program_id, month, response_model_code
),

program as (
    select
        agency_id,
        program_id,
        strftime(start_date, '%Y-%m') as start_month,
        strftime(end_date, '%Y-%m') as end_month
    from warehouse.marts.fct_program
    where start_date is not null
),

of_program as (
    select
        program.agency_id,
        program.program_id,
        component_code,
        min(month) as first_month,
        max(month) as last_month,
        sum(known)::bigint as program_known_count,
        sum(event)::bigint as program_event_count
    from program
    inner join tally
        on
            program.agency_id = tally.agency_id
            and program.program_id = tally.program_id
            and program.start_month <= tally.month
    group by all
),

of_comparison as (
    select
        program.agency_id,
        program.program_id,
        comparison_code,
        component_code,
        sum(known)::bigint as known,
        sum(event)::bigint as event
    from program
    inner join tally
        on
            program.agency_id = tally.agency_id
            and tally.month between program.start_month and coalesce(program.end_month, '9999-12')
    inner join warehouse.reference.cost_comparison as comparison using (response_model_code)
    where tally.program_id is null
    group by all
),

priced as (
    select
        of_program.*,
        comparison.comparison_code,
        comparison.design_code,
        coalesce(of_comparison.known, 0) as comparison_known_count,
        coalesce(of_comparison.event, 0) as comparison_event_count,
        program_event_count / program_known_count as program_share,
        comparison_event_count / comparison_known_count as comparison_share,
        share_error(program_event_count, program_known_count) as program_error,
        share_error(comparison_event_count, comparison_known_count) as comparison_error,
        program_known_count * (comparison_share - program_share) as averted,
        component.item_code,
        if(component.payer_rule_code = 'agency', payer.payer_code, component.payer_rule_code) as payer_code,
        capacity.central,
        capacity.low,
        capacity.high,
        usd(averted * capacity.central) as avoided_capacity_usd,
        usd(averted * cash.central) as avoided_cash_usd
    from of_program
    cross join warehouse.reference.cost_comparison as comparison
    left join of_comparison using (agency_id, program_id, component_code, comparison_code)
    inner join warehouse.reference.cost_component as component using (component_code)
    inner join payer on of_program.agency_id = payer.agency_id
    left join rate as capacity on component.item_code = capacity.item_code and capacity.kind = 'capacity'
    left join rate as cash on component.item_code = cash.item_code and cash.kind = 'cash'
)

from priced;

create table met_cost__avoided as
with drawn as (
    select
        agency_id,
        program_id,
        comparison_code,
        component_code,
        draw,
        averted,
        program_known_count as n,
        program_share,
        comparison_share,
        central,
        uniform(item_code || '|price|' || draw) as u,
        program_id || '|program|' || component_code || '|' as of_program,
        program_id || '|comparison|' || component_code || '|' as of_comparison,
        '|' || comparison_code || '|' || draw as of_draw,
        case
            when high = low then central
            when u < (central - low) / (high - low) then low + sqrt(u * (high - low) * (central - low))
            else high - sqrt((1 - u) * (high - low) * (high - central))
        end as price,
        cut(program_share + program_error * normal(of_program || '1' || of_draw, of_program || '2' || of_draw))
            as program_drawn,
        cut(comparison_share + comparison_error * normal(
            of_comparison || '1' || of_draw, of_comparison || '2' || of_draw
        )) as comparison_drawn
    from effect
    cross join range(1, 2001) as draws (draw)
    where averted is not null and central is not null
),

valued as (
    select
        agency_id,
        program_id,
        comparison_code,
        component_code,
        draw,
        (averted * price)::decimal(18, 2) as parameter,
        (n * (comparison_share - program_drawn) * central)::decimal(18, 2) as sampling,
        (n * (comparison_drawn - program_share) * central)::decimal(18, 2) as effect,
        (n * (comparison_drawn - program_drawn) * price)::decimal(18, 2) as together
    from drawn
),

summed as (
    select
        agency_id,
        program_id,
        comparison_code,
        coalesce(component_code, 'all') as component_code,
        draw,
        sum(parameter) as parameter,
        sum(sampling) as sampling,
        sum(effect) as effect,
        sum(together) as together
    from valued
    group by grouping sets (
        (agency_id, program_id, comparison_code, draw), (agency_id, program_id, comparison_code, component_code, draw)
    )
),

ranged as (
    select
        agency_id,
        program_id,
        comparison_code,
        component_code,
        quantile_disc(parameter, [0.025, 0.975]) as parameter,
        quantile_disc(sampling, [0.025, 0.975]) as sampling,
        quantile_disc(effect, [0.025, 0.975]) as effect,
        quantile_disc(together, [0.025, 0.975, 0.021509, 0.028491, 0.971509, 0.978491]) as together
    from summed
    group by all
),

program_cost as (
    select
        agency_id,
        program_id,
        sum(fully_loaded_price_year_usd) as program_cost_usd
    from met_cost__program
    inner join (
        select
            agency_id,
            program_id,
            max(last_month) as last_month
        from effect
        group by all
    ) as last using (agency_id, program_id)
    where month <= last_month
    group by all
),

shown as (
    select
        * exclude (item_code, low, high, central, program_error, comparison_error),
        central as rate_central_usd,
        program_known_count * central as usd_per_share,
        usd(averted * low) as at_price_low_usd,
        usd(averted * high) as at_price_high_usd,
        usd((comparison_share - cut(program_share - 1.959964 * program_error)) * usd_per_share)
            as at_program_share_low_usd,
        usd((comparison_share - cut(program_share + 1.959964 * program_error)) * usd_per_share)
            as at_program_share_high_usd,
        usd((cut(comparison_share - 1.959964 * comparison_error) - program_share) * usd_per_share)
            as at_comparison_share_low_usd,
        usd((cut(comparison_share + 1.959964 * comparison_error) - program_share) * usd_per_share)
            as at_comparison_share_high_usd
    from effect
    where averted is not null
    union all by name
    select
        agency_id,
        program_id,
        comparison_code,
        max(design_code) as design_code,
        'all' as component_code,
        'not_applicable' as payer_code,
        min(first_month) as first_month,
        max(last_month) as last_month,
        sum(avoided_capacity_usd)::decimal(18, 2) as avoided_capacity_usd,
        sum(avoided_cash_usd)::decimal(18, 2) as avoided_cash_usd
    from effect
    group by agency_id, program_id, comparison_code
    having sum(avoided_capacity_usd) is not null
)

select
    shown.* exclude (usd_per_share) replace (
        round(program_share, 6) as program_share,
        round(comparison_share, 6) as comparison_share,
        round(averted, 4) as averted
    ),
    program_cost_usd,
    if(shown.averted > 0, usd(program_cost_usd / shown.averted), null) as program_cost_per_averted_usd,
    if(component_code = 'all', avoided_capacity_usd - program_cost_usd, null) as net_capacity_usd,
    if(component_code = 'all' and program_cost_usd > 0, round(avoided_capacity_usd::double / program_cost_usd, 6), null)
        as benefit_cost_ratio,
    if(usd_per_share > 0, round(shown.program_share + program_cost_usd / usd_per_share, 6), null)
        as break_even_comparison_share,
    parameter[1] as parameter_low_usd,
    parameter[2] as parameter_high_usd,
    sampling[1] as sampling_low_usd,
    sampling[2] as sampling_high_usd,
    effect[1] as effect_low_usd,
    effect[2] as effect_high_usd,
    together[1] as together_low_usd,
    together[2] as together_high_usd,
    usd((together[4] - together[3]) / 2) as monte_carlo_low_error_usd,
    usd((together[6] - together[5]) / 2) as monte_carlo_high_error_usd
from shown
left join program_cost using (agency_id, program_id)
left join ranged using (agency_id, program_id, comparison_code, component_code);

-- Who bears, pays or would avoid what; society: each part once, and no payment from one to another.
create table met_cost__perspective as
with flow as (
    select
        agency_id,
        'bears' as flow_code,
        'not_applicable' as program_id,
        component_code,
        payer_code as perspective_code,
        'not_applicable' as paid_to_code,
        is_hidden,
        part_of_code,
        min(month) as first_month,
        max(month) as last_month,
        sum(event_count)::bigint as event_count,
        sum(capacity_central_usd)::decimal(18, 2) as capacity_central_usd,
        sum(capacity_low_usd)::decimal(18, 2) as capacity_low_usd,
        sum(capacity_high_usd)::decimal(18, 2) as capacity_high_usd,
        sum(cash_central_usd)::decimal(18, 2) as cash_central_usd
    from met_cost__component
    where
        slice_code = 'all'
        and identification_method_code = if(
            component_code in ('booking', 'ed_arrival', 'force', 'injury', 'report_writing'),
            'field_form', 'not_applicable'
        )
    group by all
    union all by name
    select
        agency_id,
        'bears' as flow_code,
        'not_applicable' as program_id,
        replace(item_code, '_hour', '_time') as part_of_code,
        'repeat_' || part_of_code || '_' || window_days || '_days' as component_code,
        if(item_code = 'clinician_hour', 'bh_provider', payer_code) as perspective_code,
        'not_applicable' as paid_to_code,
        true as is_hidden,
        min(month) as first_month,
        max(month) as last_month,
        sum(repeat_count)::bigint as event_count,
        sum(capacity_central_usd)::decimal(18, 2) as capacity_central_usd,
        sum(capacity_low_usd)::decimal(18, 2) as capacity_low_usd,
        sum(capacity_high_usd)::decimal(18, 2) as capacity_high_usd
    from met_cost__repeat_response
    inner join payer using (agency_id)
    group by all
    union all by name
    select
        agency_id,
        'pays_program' as flow_code,
        program_id,
        'program_budget' as component_code,
        payer_code as perspective_code,
        'not_applicable' as paid_to_code,
        false as is_hidden,
        min(month) as first_month,
        max(month) as last_month,
        sum(contact_count)::bigint as event_count,
        sum(fully_loaded_price_year_usd)::decimal(18, 2) as capacity_central_usd,
        capacity_central_usd as capacity_low_usd,
        capacity_central_usd as capacity_high_usd
    from met_cost__program
    group by all
    union all by name
    select
        agency_id,
        'would_avoid' as flow_code,
        program_id,
        component_code,
        payer_code as perspective_code,
        'not_applicable' as paid_to_code,
        false as is_hidden,
        first_month,
        last_month,
        program_event_count as event_count,
        avoided_capacity_usd as capacity_central_usd,
        parameter_low_usd as capacity_low_usd,
        parameter_high_usd as capacity_high_usd,
        avoided_cash_usd as cash_central_usd,
        sampling_low_usd,
        sampling_high_usd,
        effect_low_usd,
        effect_high_usd
    from met_cost__avoided
    where component_code <> 'all'
),

paid as (
    select
        agency_id,
        'pays_another' as flow_code,
        'not_applicable' as program_id,
        component_code,
        insurance_code as perspective_code,
        payer_code as paid_to_code,
        false as is_hidden,
        min(month) as first_month,
        max(month) as last_month,
        count(*) as event_count,
        usd(sum(paid_usd * chosen / value)) as capacity_central_usd,
        capacity_central_usd as capacity_low_usd,
        capacity_central_usd as capacity_high_usd
    from (
        select
            agency_id,
            month,
            'ed_visit' as component_code,
            insurance_code,
            paid_usd
        from warehouse.marts.fct_ed_visit
        where paid_usd is not null and month <> 'unknown'
        union all
        select
            agency_id,
            month,
            'inpatient_stay',
            insurance_code,
            paid_usd
        from warehouse.marts.fct_inpatient_stay
        where paid_usd is not null and month <> 'unknown'
    ) as treatment
    inner join payer using (agency_id)
    left join price_index on substr(month, 1, 4)::int = price_index.year
    group by agency_id, component_code, insurance_code, payer_code
    having count(*) >= 11
)

from flow
union all by name
from paid
union all by name
select
    agency_id,
    flow_code,
    program_id,
    'all' as component_code,
    'society' as perspective_code,
    'not_applicable' as paid_to_code,
    false as is_hidden,
    min(first_month) as first_month,
    max(last_month) as last_month,
    sum(capacity_central_usd)::decimal(18, 2) as capacity_central_usd,
    if(flow_code <> 'would_avoid', sum(capacity_low_usd), null)::decimal(18, 2) as capacity_low_usd,
    if(flow_code <> 'would_avoid', sum(capacity_high_usd), null)::decimal(18, 2) as capacity_high_usd,
    sum(cash_central_usd)::decimal(18, 2) as cash_central_usd
from flow
where part_of_code is null
group by agency_id, flow_code, program_id
having count(capacity_central_usd) > 0;
