-- Grain: one row per agency, month, population and labor item (officers, clinicians, both).
{%- set bounds = ['central', 'low', 'high'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M46'
),

rate as (
    select * from {{ ref('int_cost_rate') }}
    where
        item_code in ('officer_hour', 'clinician_hour')
        and price_kind_code = 'capacity'
),

incident as (
    select
        incident.*,
        incident.exclusion_code = 'none' and incident.has_unit_response as is_response
    from {{ ref('fct_incident') }} as incident
    where {{ in_window('incident') }}
),

population as (
    {{- by_population('incident') }}
),

tally as (
    select
        agency_id,
        month,
        identification_method_code,
        count(*) as considered_count,
        count(case when exclusion_code = 'duplicate' then 1 end) as duplicate_count,
        count(case when exclusion_code = 'self_initiated' then 1 end) as self_initiated_count,
        count(case when exclusion_code = 'cancelled' then 1 end) as cancelled_count,
        count(case when exclusion_code = 'none' and not has_unit_response then 1 end) as no_unit_count,
        count(case when is_response then 1 end) as response_count,
        {%- for item, known in [
            ('officer', 'officer_seconds is not null'),
            ('clinician', 'clinician_seconds is not null'),
            ('both', 'officer_seconds is not null and clinician_seconds is not null')
        ] %}
        count(case when is_response and {{ known }} then 1 end) as {{ item }}_known_count,
        {%- for role in ['officer', 'clinician'] if item in (role, 'both') %}
        cast(coalesce(sum(case when is_response and {{ known }} then {{ role }}_seconds end), 0) as bigint)
            as {{ item }}_{{ role }}_seconds,
        {%- endfor %}
        {%- endfor %}
        count(case when is_response and not is_exclusion_known then 1 end) as exclusion_unknown_count
    from population
    group by agency_id, month, identification_method_code
),

by_item as (
    select
        *,
        'officer_hour' as item_code,
        officer_known_count as known_count,
        officer_officer_seconds as officer_seconds,
        0 as clinician_seconds
    from tally
    union all
    select
        *,
        'clinician_hour' as item_code,
        clinician_known_count as known_count,
        0 as officer_seconds,
        clinician_clinician_seconds as clinician_seconds
    from tally
    union all
    select
        *,
        'officer_and_clinician_hour' as item_code,
        both_known_count as known_count,
        both_officer_seconds as officer_seconds,
        both_clinician_seconds as clinician_seconds
    from tally
),

-- One row with the price of both kinds of hour.
price as (
    select
        {%- for bound in bounds %}
        max(case when item_code = 'officer_hour' then rate_{{ bound }}_usd end) as officer_{{ bound }}_usd,
        max(case when item_code = 'clinician_hour' then rate_{{ bound }}_usd end) as clinician_{{ bound }}_usd,
        {%- endfor %}
        count(*) as item_count
    from rate
),

-- What is said of the price of each item; the two together have no hourly rate of their own.
item as (
    select
        item_code,
        rate_central_usd,
        rate_low_usd,
        rate_high_usd,
        range_basis_code,
        price_year,
        perspective_code,
        cost_type_code,
        cost_source,
        parameter_keys
    from rate
    union all
    select
        'officer_and_clinician_hour' as item_code,
        cast(null as decimal(18, 2)) as rate_central_usd,
        cast(null as decimal(18, 2)) as rate_low_usd,
        cast(null as decimal(18, 2)) as rate_high_usd,
        max(range_basis_code) as range_basis_code,
        max(price_year) as price_year,
        {{ string_agg_sorted('perspective_code', '; ') }} as perspective_code,
        {{ string_agg_sorted('cost_type_code', '; ') }} as cost_type_code,
        {{ string_agg_sorted('cost_source', '; ') }} as cost_source,
        {{ string_agg_sorted('parameter_keys', '; ') }} as parameter_keys
    from rate
),

costed as (
    select
        by_item.*,
        {%- for bound in bounds %}
        (
            by_item.officer_seconds * price.officer_{{ bound }}_usd
            + by_item.clinician_seconds * price.clinician_{{ bound }}_usd
        ) / 3600 as {{ bound }}_usd,
        {%- endfor %}
        by_item.officer_seconds + by_item.clinician_seconds as item_seconds,
        by_item.response_count - by_item.known_count as unknown_count
    from by_item
    cross join price
),

counted as (
    select
        *,
        {%- for bound in bounds %}
        case when known_count > 0 then cast(round({{ bound }}_usd, 2) as decimal(18, 2)) end
            as labor_cost_{{ bound }}_usd,
        case when known_count > 0 then cast(round({{ bound }}_usd / known_count, 2) as decimal(18, 2)) end
            as cost_per_response_{{ bound }}_usd,
        {%- endfor %}
        {{ known_hours('item_seconds', 'known_count') }} as item_hours
    from costed
),

final as (
    select
        {{ metric_columns() }},
        item.item_code,
        'labor_time_only' as cost_scope_code,
        {%- for column in [
            'considered_count', 'duplicate_count', 'self_initiated_count', 'cancelled_count', 'no_unit_count',
            'response_count', 'known_count', 'unknown_count', 'exclusion_unknown_count'
        ] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('item_hours') }},
        {%- for bound in bounds %}
        item.rate_{{ bound }}_usd,
        {{ available_value('labor_cost_' ~ bound ~ '_usd') }},
        {{ available_value('cost_per_response_' ~ bound ~ '_usd') }},
        {%- endfor %}
        item.range_basis_code,
        item.price_year,
        item.perspective_code,
        item.cost_type_code,
        item.cost_source,
        item.parameter_keys,
        'parameter_range' as uncertainty_code
    from metric_row
    cross join item
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
            and item.item_code = counted.item_code
)

select * from final
