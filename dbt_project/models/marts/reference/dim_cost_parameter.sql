-- Grain: one row per cost parameter. Rebuilt whole by each run.
{{ config(materialized='table') }}
{%- set values = {'central': 'value', 'low': 'coalesce(low_value, value)', 'high': 'coalesce(high_value, value)'} %}

with parameter as (
    select * from {{ ref('cost_parameter') }}
),

price_index as (
    select * from {{ ref('price_index') }}
    where series = 'cpi_u'
),

-- Domain M47: what an hour costs over its wage, from the printed wage and benefits of one survey.
load as (
    select
        wage.price_year,
        (wage.value + benefits.value) / wage.value as load_ratio
    from parameter as wage
    inner join parameter as benefits
        on
            wage.price_year = benefits.price_year
            and wage.item_code = 'state_local_wage_hour'
            and benefits.item_code = 'state_local_benefits_hour'
),

chosen as (
    select
        price_index.year as price_year,
        price_index.value as index_value,
        load.load_ratio
    from {{ ref('cost_choice') }} as choice
    inner join price_index on choice.value = price_index.year
    left join load on price_index.year = load.price_year
    where choice.choice_code = 'price_year'
),

-- Domain M53. A value without a price year cannot be brought to another one.
factored as (
    select
        parameter.*,
        chosen.price_year as chosen_year,
        chosen.load_ratio,
        case when parameter.unit like 'usd%' then chosen.index_value / price_index.value end as index_factor
    from parameter
    cross join chosen
    left join price_index on parameter.price_year = price_index.year
),

final as (
    select
        param_key,
        item_code,
        label,
        value,
        unit,
        price_year as source_price_year,
        chosen_year as price_year,
        'cpi_u' as price_index_series,
        {%- for bound, given in values.items() %}
        cast(round({{ given }} * index_factor, 2) as decimal(18, 2)) as price_{{ bound }}_usd,
        {%- endfor %}
        case
            when item_code like '%_wage_hour' then cast(round(value * load_ratio * index_factor, 2) as decimal(18, 2))
        end as loaded_price_usd,
        round(load_ratio, 6) as load_ratio,
        case
            when cost_type = 'marginal' then 'cash'
            when cost_type in ('average', 'opportunity', 'rate', 'standard') then 'capacity'
            else 'not_applicable'
        end as price_kind_code,
        low_value is not null as has_source_range,
        distribution,
        geography,
        perspective,
        cost_type,
        source,
        source_tag,
        is_default
    from factored
)

select * from final
