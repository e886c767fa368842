-- Grain: one row per cost item that has a default parameter; all money in the latest price year of a default.
with price_index as (
    select * from {{ ref('price_index') }}
    where series = 'cpi_u'
),

-- A value without a price year cannot be compared, so it finds no index and stays out.
parameter as (
    select
        cost_parameter.*,
        price_index.value as index_value
    from {{ ref('cost_parameter') }} as cost_parameter
    inner join price_index on cost_parameter.price_year = price_index.year
),

common_year as (
    select max(price_year) as price_year
    from parameter
    where is_default
),

converted as (
    select
        parameter.item_code,
        parameter.is_default,
        parameter.cost_type,
        parameter.perspective,
        parameter.source,
        price_index.year as price_year,
        cast(round(parameter.value * price_index.value / parameter.index_value, 2) as decimal(18, 2)) as rate_usd
    from parameter
    cross join common_year
    inner join price_index on common_year.price_year = price_index.year
),

-- What somebody only claims is no bound of a range.
span as (
    select
        item_code,
        count(*) as parameter_count,
        min(rate_usd) as rate_low_usd,
        max(rate_usd) as rate_high_usd
    from converted
    where cost_type <> 'claim'
    group by item_code
),

final as (
    select
        converted.item_code,
        converted.rate_usd as rate_central_usd,
        span.rate_low_usd,
        span.rate_high_usd,
        case when span.parameter_count = 1 then 'single_source' else 'span_of_sources' end as range_basis_code,
        converted.price_year,
        converted.perspective as perspective_code,
        converted.cost_type as cost_type_code,
        converted.source as cost_source
    from converted
    inner join span on converted.item_code = span.item_code
    where converted.is_default
)

select * from final
