-- Grain: one row per agency, month, component, population and response model (all of them, too).
{%- set bounds = ['central', 'low', 'high'] %}
{%- set kinds = ['capacity', 'cash'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id like 'M46.%'
),

component as (
    select * from {{ ref('cost_component') }}
),

agency as (
    select * from {{ ref('dim_agency') }}
),

payer as (
    select * from {{ ref('cost_payer') }}
),

choice as (
    select cast(value as integer) as price_year
    from {{ ref('cost_choice') }}
    where choice_code = 'price_year'
),

rate as (
    select * from {{ ref('int_cost_rate') }}
),

priced as (
    select
        component.*,
        {%- for kind in kinds %}
        {%- for bound in bounds %}
        {{ kind }}.rate_{{ bound }}_usd as {{ kind }}_rate_{{ bound }}_usd,
        {%- endfor %}
        case when {{ kind }}.item_code is null then 'no_dated_source' else 'priced' end as {{ kind }}_status_code,
        coalesce({{ kind }}.range_basis_code, 'no_dated_source') as {{ kind }}_range_basis_code,
        coalesce({{ kind }}.parameter_keys, '') as {{ kind }}_parameter_keys,
        {%- endfor %}
        choice.price_year
    from component
    cross join choice
    {%- for kind in kinds %}
    left join rate as {{ kind }}
        on
            component.item_code = {{ kind }}.item_code
            and {{ kind }}.price_kind_code = '{{ kind }}'
    {%- endfor %}
),

counted as (
    select
        quantity.agency_id,
        quantity.month,
        quantity.identification_method_code,
        quantity.component_code,
        quantity.slice_code,
        quantity.slice_value,
        quantity.considered_count,
        quantity.known_count,
        quantity.considered_count - quantity.known_count as unknown_count,
        quantity.event_count,
        {%- for kind in kinds %}
        {%- for bound in bounds %}
        {{ component_cost(kind, bound) }},
        {%- endfor %}
        {%- endfor %}
        case
            when quantity.known_count > 0 then round(cast(quantity.base_sum as double) / priced.base_per_unit, 4)
        end as quantity
    from {{ ref('int_cost_quantity') }} as quantity
    inner join priced on quantity.component_code = priced.component_code
),

final as (
    select
        {{ metric_columns() }},
        priced.component_code,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        case
            when priced.payer_rule_code = 'agency' then coalesce(payer.payer_code, 'not_recorded')
            else priced.payer_rule_code
        end as payer_code,
        priced.is_hidden,
        priced.part_of_code,
        {%- for column in ['considered_count', 'known_count', 'unknown_count', 'event_count'] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('quantity') }},
        priced.quantity_unit,
        {%- for kind in kinds %}
        {%- for bound in bounds %}
        priced.{{ kind }}_rate_{{ bound }}_usd,
        {{ available_value(kind ~ '_' ~ bound ~ '_usd') }},
        {%- endfor %}
        priced.{{ kind }}_status_code,
        priced.{{ kind }}_range_basis_code,
        priced.{{ kind }}_parameter_keys,
        {%- endfor %}
        'parameter_range' as uncertainty_code,
        priced.price_year,
        'cpi_u' as price_index_series
    from metric_row
    inner join priced on metric_row.metric_id = 'M46.' || priced.component_code
    inner join agency on metric_row.agency_id = agency.agency_id
    left join payer on agency.agency_type_code = payer.agency_type_code
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
            and priced.component_code = counted.component_code
)

select * from final
