-- Grain: one row per agency, month of the call, basis (person, place), window in days and item. Rebuilt whole.
{{ config(materialized='table') }}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('M46.repeat_person', 'M46.repeat_place')
),

incident as (
    select * from {{ ref('fct_incident') }}
),

contact as (
    select * from {{ ref('fct_contact') }}
),

event as (
    select * from {{ ref('fct_person_event') }}
    where event_kind_code = 'contact'
),

unit_response as (
    select * from {{ ref('fct_unit_response') }}
    where response_scope_code = 'unit'
),

rate as (
    select * from {{ ref('int_cost_rate') }}
    where price_kind_code = 'capacity'
),

choice as (
    select cast(value as integer) as price_year
    from {{ ref('cost_choice') }}
    where choice_code = 'price_year'
),

window_length as (
    {{ numbers_listed([30, 90], 'window_days') }}
),

item as (
    select 'officer_hour' as item_code
    union all
    select 'clinician_hour' as item_code
),

-- Calls at which somebody wrote a contact form.
met_call as (
    select
        agency_id,
        month,
        incident_id,
        received_at
    from incident
    where
        received_at is not null
        and incident_id in (
            select contact.linked_incident_id from contact
        )
),

person_call as (
    select distinct
        event.person_key,
        met_call.incident_id,
        met_call.received_at
    from event
    inner join met_call on event.incident_id = met_call.incident_id
),

ordered as (
    select
        *,
        lag(received_at) over (partition by person_key order by received_at, incident_id) as received_before_at
    from person_call
),

earlier as (
    select
        incident_id,
        {{ seconds_between('received_before_at', 'received_at') }} as since_seconds
    from ordered
),

-- Of several people met at a call, the one who was met last.
since as (
    select
        incident_id,
        min(since_seconds) as since_seconds
    from earlier
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
        count(*) as unit_count,
        count(officer_seconds) as officer_known_count,
        count(clinician_seconds) as clinician_known_count,
        sum(officer_seconds) as officer_seconds,
        sum(clinician_seconds) as clinician_seconds
    from unit_response
    where
        incident_id in (
            select since.incident_id from since
            where since.since_seconds <= 90 * 86400
        )
    group by incident_id
),

dated as (
    select
        met_call.agency_id,
        met_call.month,
        met_call.incident_id,
        since.incident_id is not null as is_linked,
        since.since_seconds,
        {{ seconds_between('begun.first_at', 'met_call.received_at') }} as observed_seconds
    from met_call
    inner join begun on met_call.agency_id = begun.agency_id
    left join since on met_call.incident_id = since.incident_id
),

judged as (
    select
        dated.agency_id,
        dated.month,
        dated.incident_id,
        window_length.window_days,
        case
            when not dated.is_linked then 'not_linked'
            when dated.since_seconds <= window_length.window_days * 86400 then 'repeat'
            when dated.observed_seconds < window_length.window_days * 86400 then 'not_observed'
            else 'first'
        end as class_code
    from dated
    cross join window_length
),

-- A key of its own for the join: a condition beside it would compare every call with every other.
classed as (
    select
        *,
        case when class_code = 'repeat' then incident_id end as repeat_incident_id
    from judged
),

summed as (
    select
        {%- for role in ['officer', 'clinician'] %}
        cast(coalesce(sum(spent.{{ role }}_known_count), 0) as bigint) as {{ role }}_known_count,
        cast(coalesce(sum(spent.unit_count - spent.{{ role }}_known_count), 0) as bigint) as {{ role }}_unknown_count,
        sum(spent.{{ role }}_seconds) as {{ role }}_seconds,
        {%- endfor %}
        classed.agency_id,
        classed.month,
        classed.window_days,
        count(*) as considered_count,
        count(case when classed.class_code = 'not_linked' then 1 end) as not_linked_count,
        count(case when classed.class_code = 'not_observed' then 1 end) as not_observed_count,
        count(case when classed.class_code = 'first' then 1 end) as first_count,
        count(case when classed.class_code = 'repeat' then 1 end) as repeat_count
    from classed
    left join spent on classed.repeat_incident_id = spent.incident_id
    group by classed.agency_id, classed.month, classed.window_days
),

by_item as (
    {%- for role in ['officer', 'clinician'] %}
    select
        agency_id,
        month,
        'M46.repeat_person' as metric_id,
        window_days,
        '{{ role }}_hour' as item_code,
        considered_count,
        not_linked_count,
        not_observed_count,
        first_count,
        repeat_count,
        {{ role }}_known_count as known_count,
        {{ role }}_unknown_count as unknown_count,
        {{ role }}_seconds as spent_seconds
    from summed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

counted as (
    select
        {%- for bound in ['central', 'low', 'high'] %}
        case
            when by_item.known_count > 0
                then cast(round(by_item.spent_seconds * rate.rate_{{ bound }}_usd / 3600, 2) as decimal(18, 2))
        end as capacity_{{ bound }}_usd,
        {%- endfor %}
        by_item.*,
        {{ known_hours('by_item.spent_seconds', 'by_item.known_count') }} as spent_hours
    from by_item
    left join rate on by_item.item_code = rate.item_code
),

final as (
    select
        {{ metric_columns('call') }},
        substr(metric_row.metric_id, 12) as basis_code,
        window_length.window_days,
        item.item_code,
        true as is_hidden,
        case item.item_code when 'officer_hour' then 'officer_time' else 'clinician_time' end as part_of_code,
        {%- for column in [
            'considered_count', 'not_linked_count', 'not_observed_count', 'first_count', 'repeat_count', 'known_count',
            'unknown_count'
        ] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('spent_hours') }},
        {%- for bound in ['central', 'low', 'high'] %}
        rate.rate_{{ bound }}_usd as capacity_rate_{{ bound }}_usd,
        {{ available_value('capacity_' ~ bound ~ '_usd') }},
        {%- endfor %}
        coalesce(rate.range_basis_code, 'no_dated_source') as capacity_range_basis_code,
        coalesce(rate.parameter_keys, '') as capacity_parameter_keys,
        'parameter_range' as uncertainty_code,
        choice.price_year,
        'cpi_u' as price_index_series
    from metric_row
    cross join window_length
    cross join item
    cross join choice
    left join rate on item.item_code = rate.item_code
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
            and window_length.window_days = counted.window_days
            and item.item_code = counted.item_code
)

select * from final
