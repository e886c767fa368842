-- Grain: one row per cost item and kind of price (capacity, cash) that has a default parameter.
with parameter as (
    select * from {{ ref('dim_cost_parameter') }}
    where
        price_central_usd is not null
        and price_kind_code in ('capacity', 'cash')
),

span as (
    select
        item_code,
        price_kind_code,
        count(*) as parameter_count,
        count(case when has_source_range then 1 end) as range_count,
        min(price_low_usd) as rate_low_usd,
        max(price_high_usd) as rate_high_usd
    from parameter
    group by item_code, price_kind_code
),

-- The default, and whoever sets an end of the range.
used as (
    select
        parameter.item_code,
        parameter.price_kind_code,
        {{ string_agg_sorted('parameter.param_key', '; ') }} as parameter_keys
    from parameter
    inner join span
        on
            parameter.item_code = span.item_code
            and parameter.price_kind_code = span.price_kind_code
    where
        parameter.is_default
        or parameter.price_low_usd = span.rate_low_usd
        or parameter.price_high_usd = span.rate_high_usd
    group by parameter.item_code, parameter.price_kind_code
),

final as (
    select
        parameter.item_code,
        parameter.price_kind_code,
        parameter.price_central_usd as rate_central_usd,
        span.rate_low_usd,
        span.rate_high_usd,
        case
            when span.parameter_count > 1 then 'span_of_sources'
            when span.range_count = 1 then 'range_of_source'
            else 'single_source'
        end as range_basis_code,
        used.parameter_keys,
        parameter.price_year,
        parameter.price_index_series,
        parameter.perspective as perspective_code,
        parameter.cost_type as cost_type_code,
        parameter.source as cost_source
    from parameter
    inner join span
        on
            parameter.item_code = span.item_code
            and parameter.price_kind_code = span.price_kind_code
    inner join used
        on
            parameter.item_code = used.item_code
            and parameter.price_kind_code = used.price_kind_code
    where parameter.is_default
)

select * from final
