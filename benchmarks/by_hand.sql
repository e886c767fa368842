-- What an engineer would write for Cedar County alone: two exports in, two tables out, nothing else.
--
-- Reads the landed CAD and unit files, the county's code lists and the seeds; makes the tables fct_incident and
-- fct_unit_response in the opened database, with the rows and columns of the road's marts of the same names.
-- Left out, next to the road: other agencies and feeds, gates, layers, rebuilding of single months, a record of
-- rejected and replaced rows, texts as they were sent, the store of identifying fields, reconciliation, releases.
-- No contact forms are read, so bh_field_form is 'unknown' throughout.
--
-- Set before: variables `cad` and `units` (lists of files), `codes` and `seeds` (folders), as steps.py does.
set timezone = 'UTC';
set preserve_insertion_order = false;

-- Helpers

create temp macro denver(local_at) as timezone('America/Denver', local_at);
create temp macro month_number(local_at) as coalesce(year(local_at) * 12 + month(local_at), 0);
create temp macro month_text(local_at) as coalesce(strftime(local_at, '%Y-%m'), 'unknown');
create temp macro seconds(start_at, end_at) as (epoch_us(end_at) - epoch_us(start_at)) // 1000000;
create temp macro valid(interval_seconds) as
    case when interval_seconds between 0 and 86400 then cast(interval_seconds as integer) end;
create temp macro status(start_at, interval_seconds) as case
    when start_at is null then 'missing_start'
    when interval_seconds is null then 'missing_end'
    when interval_seconds < 0 then 'negative'
    when interval_seconds > 86400 then 'over_limit'
    else 'valid'
end;
create temp macro answer(word) as case word
    when 'Y' then 'yes'
    when 'N' then 'no'
    when 'DK' then 'unknown'
    else 'not_recorded'
end;
create temp macro code(standard_code, local_code) as
    coalesce(standard_code, case when local_code is null then 'not_recorded' else 'other' end);
create temp macro untold(word) as
    word in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable');
create temp macro local_codes(code_list) as table
    select local_code, standard_code
    from read_csv(getvariable('codes') || '/' || code_list || '.csv', all_varchar = true);

create temp table call_type as
select
    local.local_code,
    local.standard_code,
    cast(seed.bh_tier as integer) as bh_tier,
    seed.bh_kind_code,
    case when seed.bh_tier = 1 then 'yes' when seed.bh_tier in (2, 3) then 'no' else 'unknown' end as bh_answer
from local_codes('call_type') as local
join read_csv(getvariable('seeds') || '/codes/codes_call_type.csv') as seed
    on local.standard_code = seed.call_type_code;

create temp table call_source as
select local.local_code, local.standard_code, seed.is_self_initiated
from local_codes('call_source') as local
join read_csv(getvariable('seeds') || '/codes/codes_call_source.csv') as seed
    on local.standard_code = seed.call_source_code;

-- The exports, typed while they are read; a row with a time that is none is left out.

create temp table sent_incident as
select
    IncidentNumber as number,
    MasterIncident as linked_number,
    CallSource as source,
    Received as received,
    Queued as entered,
    CallTakingDone as taken,
    nullif(Closed, timestamp '1900-01-01') as closed,
    TypeOpen as type_open,
    TypeClose as type_close,
    PriorityOpen as priority_open,
    PriorityClose as priority_close,
    CloseCode as close_code,
    CancelledBeforeArrival as cancelled,
    Report as report,
    CITAsked as cit_asked,
    ClinicianAsked as clinician_asked,
    To988 as to_988,
    From988 as from_988,
    Held as held,
    HeldSeconds as held_seconds,
    Reopened as reopened,
    Program as program,
    TeamEligible as team_eligible,
    NotEligible as not_eligible,
    PlaceKind as place,
    trim(Beat) as beat,
    Sector as sector,
    District as district,
    Zip as zip,
    case
        when 'REDACTED' in (
            Address, Apartment, CallerPlace, CallerName, CallerPhone, CrossStreet, Latitude, PlaceName, Longitude
        ) then concat_ws(
            ',',
            case when Address = 'REDACTED' then 'address' end,
            case when Apartment = 'REDACTED' then 'apartment' end,
            case when CallerPlace = 'REDACTED' then 'caller_location_name' end,
            case when CallerName = 'REDACTED' then 'caller_name' end,
            case when CallerPhone = 'REDACTED' then 'caller_phone' end,
            case when CrossStreet = 'REDACTED' then 'cross_street' end,
            case when Latitude = 'REDACTED' then 'latitude' end,
            case when PlaceName = 'REDACTED' then 'location_name' end,
            case when Longitude = 'REDACTED' then 'longitude' end
        )
        else ''
    end as withheld_fields,
    month_number(coalesce(Received, Queued)) as month_no,
    ExportedAt as exported
from read_csv(
    getvariable('cad'), header = true, auto_detect = false, ignore_errors = true, quote = '"', escape = '"', columns = {
        'IncidentNumber': 'varchar', 'MasterIncident': 'varchar', 'CallSource': 'varchar', 'Received': 'timestamp',
        'Queued': 'timestamp', 'CallTakingDone': 'timestamp', 'Closed': 'timestamp', 'TypeOpen': 'varchar',
        'TypeClose': 'varchar', 'PriorityOpen': 'integer', 'PriorityClose': 'integer', 'CloseCode': 'varchar',
        'CancelledBeforeArrival': 'varchar', 'Report': 'varchar', 'CITAsked': 'varchar', 'ClinicianAsked': 'varchar',
        'To988': 'varchar', 'From988': 'varchar', 'Held': 'varchar', 'HeldSeconds': 'integer', 'Reopened': 'varchar',
        'Program': 'varchar', 'TeamEligible': 'varchar', 'NotEligible': 'varchar', 'PlaceKind': 'varchar',
        'Beat': 'varchar', 'Sector': 'varchar', 'District': 'varchar', 'Zip': 'varchar', 'Address': 'varchar', 'Apartment': 'varchar', 'PlaceName': 'varchar',
        'CrossStreet': 'varchar', 'Latitude': 'varchar', 'Longitude': 'varchar', 'CallerName': 'varchar',
        'CallerPhone': 'varchar', 'CallerPlace': 'varchar', 'ExportedAt': 'timestamp'
    }
);

-- Few events were sent twice: only those are ranked.
create temp table replaced_incident as
with twice as (select number from sent_incident group by number having count(*) > 1)
select rowid as row_no
from sent_incident
where number in (from twice)
qualify row_number() over (partition by number order by exported desc, rowid desc) > 1;

delete from sent_incident where rowid in (select row_no from replaced_incident);

create temp table sent_unit as
select
    IncidentNumber as number,
    'cedar_county:' || IncidentNumber || ':' || coalesce(Unit, '-') || ':' || coalesce(Assignment, '-') as id,
    Unit as unit,
    cast(Assignment as integer) as assignment,
    UnitKind as kind,
    Program as program,
    Officers as officers,
    Clinicians as clinicians,
    ShiftNumber as shift,
    Miles as miles,
    code(unit_types.standard_code, UnitKind) as unit_type,
    code(programs.standard_code, Program) as model,
    case
        when Clinicians > 0 or unit_type in ('cit_patrol', 'co_responder', 'mobile_crisis')
            or model in ('cit_police', 'co_response_ride_along', 'mobile_crisis') then true
        when not untold(unit_type) or not untold(model) then false
    end as is_bh_capable,
    Dispatched as dispatched,
    Acknowledged as acknowledged,
    Enroute as enroute,
    OnScene as on_scene,
    LeftScene as left_scene,
    AtDestination as at_destination,
    HandedOver as handed_over,
    nullif(Cleared, timestamp '1900-01-01') as cleared,
    Cancelled as cancelled,
    denver(Dispatched) as dispatched_at,
    denver(Enroute) as enroute_at,
    denver(OnScene) as on_scene_at,
    denver(nullif(Cleared, timestamp '1900-01-01')) as cleared_at,
    coalesce(Dispatched, Enroute, OnScene, nullif(Cleared, timestamp '1900-01-01'), Cancelled) as event_local,
    month_number(coalesce(Dispatched, Enroute, OnScene, nullif(Cleared, timestamp '1900-01-01'), Cancelled))
        as month_no,
    seconds(denver(Dispatched), denver(nullif(Cleared, timestamp '1900-01-01'))) as task,
    case when OfficerName = 'REDACTED' then 'officer_name' else '' end as withheld_fields
from read_csv(
    getvariable('units'), header = true, auto_detect = false, ignore_errors = true, quote = '"', escape = '"',
    columns = {
        'IncidentNumber': 'varchar', 'Unit': 'varchar', 'Assignment': 'varchar', 'UnitKind': 'varchar',
        'Program': 'varchar', 'Officers': 'integer', 'Clinicians': 'integer', 'Dispatched': 'timestamp',
        'Acknowledged': 'timestamp', 'Enroute': 'timestamp', 'OnScene': 'timestamp', 'LeftScene': 'timestamp',
        'AtDestination': 'timestamp', 'HandedOver': 'timestamp', 'Cleared': 'timestamp', 'Cancelled': 'timestamp',
        'OfficerName': 'varchar', 'OfficerNumber': 'varchar', 'ShiftNumber': 'varchar', 'Miles': 'double'
    }
) as sent
left join local_codes('unit_type') as unit_types on sent.UnitKind = unit_types.local_code
left join local_codes('response_model') as programs on sent.Program = programs.local_code;

create temp table replaced_unit as
with twice as (select id from sent_unit group by id having count(*) > 1)
select rowid as row_no
from sent_unit
where id in (from twice)
qualify row_number() over (partition by id order by rowid desc) > 1;

delete from sent_unit where rowid in (select row_no from replaced_unit);

-- A unit counts for an event of its own month or the month before.

create temp table response as
with summed as (
    select
        number,
        min(dispatched_at) as first_dispatched_at,
        min(enroute_at) as first_enroute_at,
        min(on_scene_at) as first_on_scene_at,
        max(cleared_at) as last_cleared_at,
        min(on_scene_at) filter (where is_bh_capable) as first_bh_capable_on_scene_at,
        case
            when count(on_scene_at) filter (where is_bh_capable) > 0 then 'yes'
            when count(*) filter (
                where (is_bh_capable and on_scene_at is null and u.cancelled is null)
                or (is_bh_capable is null and (on_scene_at is not null or u.cancelled is null))
            ) > 0 then 'unknown'
            else 'no'
        end as bh_capable_arrived,
        min_by(id, row(on_scene_at, id)) filter (where on_scene_at is not null) as first_arriving_id,
        count(*) as unit_count,
        count(on_scene_at) as arrived_unit_count,
        count(valid(task)) as task_valid_unit_count,
        count(valid(task) * officers) as officer_known_count,
        count(valid(task) * clinicians) as clinician_known_count,
        sum(valid(task)) as unit_seconds,
        sum(valid(task) * officers) as officer_seconds,
        sum(valid(task) * clinicians) as clinician_seconds
    from sent_unit as u
    join sent_incident as i using (number)
    where u.month_no - i.month_no between 0 and 1
    group by number
)

select * replace (
    cast(case when task_valid_unit_count = unit_count then unit_seconds end as bigint) as unit_seconds,
    cast(case when officer_known_count = unit_count then officer_seconds end as bigint) as officer_seconds,
    cast(case when clinician_known_count = unit_count then clinician_seconds end as bigint) as clinician_seconds
)
from summed;

create table fct_incident as
with timed as (
    select
        i.*,
        denver(i.received) as received_at,
        response.* exclude (number),
        response.number is not null as has_unit_response,
        call_source.standard_code as source_code,
        call_source.is_self_initiated,
        first_type.standard_code as type_open_code,
        last_type.standard_code as type_close_code,
        first_type.bh_tier as first_tier,
        last_type.bh_tier as last_tier,
        coalesce(first_type.bh_kind_code, 'unknown') as first_kind,
        coalesce(last_type.bh_kind_code, 'unknown') as last_kind,
        coalesce(first_type.bh_answer, case when i.type_open is null then 'not_recorded' else 'unknown' end)
            as first_answer,
        coalesce(last_type.bh_answer, case when i.type_close is null then 'not_recorded' else 'unknown' end)
            as last_answer,
        seconds(denver(i.received), response.first_dispatched_at) as call_processing,
        seconds(denver(i.received), response.first_on_scene_at) as incident_response,
        seconds(denver(i.received), response.first_bh_capable_on_scene_at) as bh_capable_response,
        seconds(response.first_on_scene_at, response.last_cleared_at) as elapsed_scene
    from sent_incident as i
    left join response using (number)
    left join call_source on i.source = call_source.local_code
    left join call_type as first_type on i.type_open = first_type.local_code
    left join call_type as last_type on i.type_close = last_type.local_code
)

select
    'cedar_county' as agency_id,
    'cedar_county:' || number as incident_id,
    month_text(coalesce(received, entered)) as month,
    case when received is not null then 'event' when entered is not null then 'reported' else 'unknown' end
        as month_basis,
    number as incident_number,
    linked_number as linked_incident_number,
    'cedar_county:' || linked_number as linked_incident_id,
    case when linked_number is null then 'no' else 'yes' end as duplicate,
    code(source_code, source) as call_source_code,
    source as call_source_local,
    received_at,
    received as received_local_at,
    denver(entered) as entered_at,
    entered as entered_local_at,
    denver(taken) as call_taking_completed_at,
    taken as call_taking_completed_local_at,
    denver(closed) as closed_at,
    closed as closed_local_at,
    code(type_open_code, type_open) as call_type_initial_code,
    type_open as call_type_initial_local,
    code(type_close_code, type_close) as call_type_final_code,
    type_close as call_type_final_local,
    priority_open as priority_initial,
    priority_close as priority_final,
    code(close_codes.standard_code, close_code) as cad_disposition_code,
    close_code as cad_disposition_local,
    answer(timed.cancelled) as cancelled,
    answer(report) as report_written,
    answer(cit_asked) as cit_requested,
    answer(clinician_asked) as clinician_requested,
    answer(to_988) as transferred_to_988,
    answer(from_988) as received_from_988,
    code(places.standard_code, place) as location_type_code,
    place as location_type_local,
    beat,
    sector,
    district as precinct,
    zip as zip5,
    cast(null as timestamptz) as answered_at,
    cast(null as timestamp) as answered_local_at,
    cast(null as timestamptz) as dispatch_notified_at,
    cast(null as timestamp) as dispatch_notified_local_at,
    'not_recorded' as bh_flagged,
    cast(null as integer) as triage_level,
    program as program_number,
    'cedar_county:' || program as program_id,
    answer(team_eligible) as program_eligible,
    code(reasons.standard_code, not_eligible) as ineligible_reason_code,
    not_eligible as ineligible_reason_local,
    cast(null as varchar) as crisis_line_contact_number,
    cast(null as varchar) as crisis_line_contact_id,
    cast(null as varchar) as report_number,
    answer(held) as held,
    held_seconds,
    answer(reopened) as reopened,
    'not_recorded' as interpreter_needed,
    cast(null as varchar) as tract_geoid,
    cast(null as varchar) as neighborhood,
    'not_recorded' as narrative_bh,
    'not_recorded' as narrative_bh_kind_codes,
    cast(null as varchar) as narrative_bh_kind_local,
    is_self_initiated,
    linked_number is not null as is_duplicate,
    case timed.cancelled when 'Y' then true when 'N' then false end as is_cancelled,
    first_tier as call_type_initial_bh_tier,
    last_tier as call_type_final_bh_tier,
    first_kind as call_type_initial_bh_kind_code,
    last_kind as call_type_final_bh_kind_code,
    first_answer as bh_call_type_initial,
    last_answer as bh_call_type_final,
    priority_open as priority_initial_rank,
    priority_close as priority_final_rank,
    first_dispatched_at,
    first_enroute_at,
    first_on_scene_at,
    last_cleared_at,
    first_bh_capable_on_scene_at,
    first_arriving_id as first_arriving_unit_response_id,
    case when has_unit_response then 'as_sent' end as first_dispatched_stamp_code,
    case when has_unit_response then 'as_sent' end as first_on_scene_stamp_code,
    case when has_unit_response then 'as_sent' end as last_cleared_stamp_code,
    case when has_unit_response then 'as_sent' end as first_bh_capable_on_scene_stamp_code,
    coalesce(bh_capable_arrived, 'unknown') as bh_capable_arrived,
    case when has_unit_response then 'unit' else 'not_applicable' end as response_scope_code,
    unit_count,
    arrived_unit_count,
    task_valid_unit_count,
    unit_seconds,
    officer_seconds,
    clinician_seconds,
    has_unit_response,
    'unknown' as bh_field_form,
    'not_recorded' as bh_narrative,
    'not_recorded' as bh_program,
    case
        when 'yes' in (first_answer, last_answer) then 'yes'
        when 'no' in (first_answer, last_answer) then 'no'
        else 'unknown'
    end as bh_any,
    case
        when linked_number is not null then 'duplicate'
        when is_self_initiated then 'self_initiated'
        when timed.cancelled = 'Y' then 'cancelled'
        else 'none'
    end as exclusion_code,
    is_self_initiated is not null and coalesce(timed.cancelled in ('Y', 'N'), false) as is_exclusion_known,
    case when is_self_initiated then null else valid(call_processing) end as call_processing_seconds,
    case when is_self_initiated then 'not_applicable' else status(received_at, call_processing) end
        as call_processing_status_code,
    case when is_self_initiated then null else valid(incident_response) end as incident_response_seconds,
    case when is_self_initiated then 'not_applicable' else status(received_at, incident_response) end
        as incident_response_status_code,
    case when is_self_initiated or bh_capable_arrived = 'no' then null else valid(bh_capable_response) end
        as bh_capable_response_seconds,
    case
        when is_self_initiated or bh_capable_arrived = 'no' then 'not_applicable'
        else status(received_at, bh_capable_response)
    end as bh_capable_response_status_code,
    valid(elapsed_scene) as elapsed_scene_seconds,
    status(first_on_scene_at, elapsed_scene) as elapsed_scene_status_code,
    withheld_fields,
    '' as stamp_imputed,
    cast(null as varchar) as extras
from timed
left join local_codes('cad_disposition') as close_codes on timed.close_code = close_codes.local_code
left join local_codes('location_type') as places on timed.place = places.local_code
left join local_codes('ineligible_reason') as reasons on timed.not_eligible = reasons.local_code;

create table fct_unit_response as
with timed as (
    select
        u.*,
        i.month as incident_month,
        i.first_arriving_unit_response_id as first_arriving_id,
        i.exclusion_code,
        i.is_exclusion_known,
        i.bh_call_type_initial,
        i.bh_call_type_final,
        i.beat,
        i.priority_initial_rank,
        i.call_type_initial_bh_kind_code as first_kind,
        i.call_type_final_bh_kind_code as last_kind,
        coalesce(u.month_no - month_number(coalesce(i.received_local_at, i.entered_local_at)) between 0 and 1, false)
            as is_near,
        denver(left_scene) as left_scene_at,
        denver(at_destination) as at_destination_at,
        denver(handed_over) as destination_handoff_at,
        u.cancelled is not null and on_scene is null as is_called_off,
        at_destination is null and handed_over is null as has_no_transport
    from sent_unit as u
    left join fct_incident as i on u.number = i.incident_number
),

spanned as (
    select
        *,
        seconds(dispatched_at, enroute_at) as turnout,
        seconds(enroute_at, on_scene_at) as travel,
        seconds(dispatched_at, on_scene_at) as response,
        seconds(on_scene_at, coalesce(left_scene_at, cleared_at)) as scene,
        seconds(left_scene_at, at_destination_at) as transport,
        seconds(at_destination_at, destination_handoff_at) as wall
    from timed
)

select
    'cedar_county' as agency_id,
    id as unit_response_id,
    month_text(event_local) as month,
    case when event_local is null then 'unknown' else 'event' end as month_basis,
    number as incident_number,
    'cedar_county:' || number as incident_id,
    unit as unit_number,
    assignment as assignment_number,
    'unit' as response_scope_code,
    'unit' as response_scope_local,
    unit_type as unit_type_code,
    kind as unit_type_local,
    model as response_model_code,
    program as response_model_local,
    officers as officer_count,
    clinicians as clinician_count,
    dispatched_at,
    dispatched as dispatched_local_at,
    denver(acknowledged) as acknowledged_at,
    acknowledged as acknowledged_local_at,
    enroute_at,
    enroute as enroute_local_at,
    on_scene_at,
    on_scene as on_scene_local_at,
    cast(null as timestamptz) as at_person_at,
    cast(null as timestamp) as at_person_local_at,
    left_scene_at,
    left_scene as left_scene_local_at,
    at_destination_at,
    at_destination as at_destination_local_at,
    destination_handoff_at,
    handed_over as destination_handoff_local_at,
    cleared_at,
    cleared as cleared_local_at,
    denver(cancelled) as cancelled_at,
    cancelled as cancelled_local_at,
    cast(null as timestamptz) as staged_at,
    cast(null as timestamp) as staged_local_at,
    cast(null as timestamptz) as scene_handoff_at,
    cast(null as timestamp) as scene_handoff_local_at,
    cast(null as integer) as responder_order,
    cast(null as integer) as personnel_count,
    cast(null as integer) as cit_officer_count,
    cast(null as integer) as peer_count,
    cast(null as integer) as medic_count,
    shift as shift_number,
    'cedar_county:' || shift as shift_id,
    cast(null as varchar) as program_number,
    cast(null as varchar) as program_id,
    cast(null as varchar) as relieved_by_unit_number,
    cast(null as timestamptz) as relieved_at,
    cast(null as timestamp) as relieved_local_at,
    miles as vehicle_miles,
    case when is_called_off and enroute is null then null else valid(turnout) end as turnout_seconds,
    case when is_called_off and enroute is null then 'not_applicable' else status(dispatched_at, turnout) end
        as turnout_status_code,
    case when is_called_off then null else valid(travel) end as travel_seconds,
    case when is_called_off then 'not_applicable' else status(enroute_at, travel) end as travel_status_code,
    case when is_called_off then null else valid(response) end as response_seconds,
    case when is_called_off then 'not_applicable' else status(dispatched_at, response) end as response_status_code,
    case when is_called_off then null else valid(scene) end as scene_seconds,
    case when is_called_off then 'not_applicable' else status(on_scene_at, scene) end as scene_status_code,
    valid(task) as task_seconds,
    status(dispatched_at, task) as task_status_code,
    case when has_no_transport then null else valid(transport) end as transport_seconds,
    case when has_no_transport then 'not_applicable' else status(left_scene_at, transport) end as transport_status_code,
    case when has_no_transport then null else valid(wall) end as wall_seconds,
    case when has_no_transport then 'not_applicable' else status(at_destination_at, wall) end as wall_status_code,
    valid(task) * officers as officer_seconds,
    valid(task) * clinicians as clinician_seconds,
    is_near as is_linked_to_incident,
    case when is_near then incident_month end as incident_month,
    coalesce(is_near and first_arriving_id = id, false) as is_first_arriving,
    case when is_near then exclusion_code else 'none' end as exclusion_code,
    is_near and is_exclusion_known as is_exclusion_known,
    case when is_near then bh_call_type_initial else 'unknown' end as bh_call_type_initial,
    case when is_near then bh_call_type_final else 'unknown' end as bh_call_type_final,
    'unknown' as bh_field_form,
    case when is_near then beat end as incident_beat,
    case when is_near then priority_initial_rank end as incident_priority_rank,
    case when is_near then first_kind else 'unknown' end as call_type_initial_bh_kind_code,
    case when is_near then last_kind else 'unknown' end as call_type_final_bh_kind_code,
    withheld_fields,
    '' as stamp_imputed,
    cast(null as varchar) as extras
from spanned;
