-- Grain: one row per agency, program, named comparison and outcome ('all': their sum). Rebuilt whole by each run.
{{ config(materialized='table') }}

{%- set sources = ['parameter', 'sampling', 'effect', 'together'] %}
with effect as (
    select * from {{ ref('int_cost_effect') }}
),

component as (
    select * from {{ ref('cost_component') }}
),

rate as (
    select * from {{ ref('int_cost_rate') }}
),

choice as (
    select cast(value as integer) as price_year
    from {{ ref('cost_choice') }}
    where choice_code = 'price_year'
),

agency as (
    select * from {{ ref('dim_agency') }}
),

payer as (
    select * from {{ ref('cost_payer') }}
),

last_contact as (
    select
        agency_id,
        program_id,
        max(last_month) as month
    from effect
    group by agency_id, program_id
),

-- Up to the program's last contact: of later months its outcomes are not told.
program_cost as (
    select
        program_month.agency_id,
        program_month.program_id,
        cast(sum(program_month.fully_loaded_price_year_usd) as decimal(18, 2)) as program_cost_usd
    from {{ ref('met_cost__program') }} as program_month
    inner join last_contact
        on
            program_month.agency_id = last_contact.agency_id
            and program_month.program_id = last_contact.program_id
            and program_month.month <= last_contact.month
    group by program_month.agency_id, program_month.program_id
),

draw as (
    select number.n as draw_number
    from ({{ integers(1, draw_count()) }}) as number
),

priced as (
    select
        effect.*,
        component.item_code,
        case
            when component.payer_rule_code = 'agency' then coalesce(payer.payer_code, 'not_recorded')
            else component.payer_rule_code
        end as payer_code,
        effect.program_known_count * (effect.comparison_share - effect.program_share) as averted,
        capacity.rate_central_usd,
        capacity.rate_low_usd,
        capacity.rate_high_usd,
        cash.rate_central_usd as cash_rate_usd,
        coalesce(capacity.range_basis_code, 'no_dated_source') as capacity_range_basis_code,
        coalesce(capacity.parameter_keys, '') as capacity_parameter_keys,
        coalesce(cash.parameter_keys, '') as cash_parameter_keys
    from effect
    inner join component on effect.component_code = component.component_code
    inner join agency on effect.agency_id = agency.agency_id
    left join payer on agency.agency_type_code = payer.agency_type_code
    left join rate as capacity
        on
            component.item_code = capacity.item_code
            and capacity.price_kind_code = 'capacity'
    left join rate as cash
        on
            component.item_code = cash.item_code
            and cash.price_kind_code = 'cash'
),

-- A price is one thing in the whole table: every row that uses it draws the same. Shares are drawn by row.
drawn as (
    select
        priced.*,
        {{ stable_uniform("priced.item_code || '|price|' || cast(draw.draw_number as varchar)") }} as price_uniform,
        {%- for arm in ['program', 'comparison'] %}
        {{
            standard_normal(
                stable_uniform("priced.program_id || '|" ~ arm ~ "|' || priced.component_code || '|1|'"
                    ~ " || priced.comparison_code || '|' || cast(draw.draw_number as varchar)"),
                stable_uniform("priced.program_id || '|" ~ arm ~ "|' || priced.component_code || '|2|'"
                    ~ " || priced.comparison_code || '|' || cast(draw.draw_number as varchar)")
            )
        }} as {{ arm }}_normal,
        {%- endfor %}
        draw.draw_number
    from priced
    cross join draw
    where priced.averted is not null and priced.rate_central_usd is not null
),

simulated as (
    select
        *,
        {{ triangular('price_uniform', 'rate_low_usd', 'rate_central_usd', 'rate_high_usd') }} as price_drawn,
        {{ drawn_share('program_share', 'program_share_error', 'program_normal') }} as program_drawn,
        {{ drawn_share('comparison_share', 'comparison_share_error', 'comparison_normal') }} as comparison_drawn
    from drawn
),

-- To the cent before they are summed: decimals add up the same in any order.
valued as (
    select
        agency_id,
        program_id,
        comparison_code,
        component_code,
        draw_number,
        cast(averted * price_drawn as decimal(18, 2)) as parameter_usd,
        cast(program_known_count * (comparison_share - program_drawn) * rate_central_usd as decimal(18, 2))
            as sampling_usd,
        cast(program_known_count * (comparison_drawn - program_share) * rate_central_usd as decimal(18, 2))
            as effect_usd,
        cast(program_known_count * (comparison_drawn - program_drawn) * price_drawn as decimal(18, 2))
            as together_usd
    from simulated
),

valued_or_all as (
    select * from valued
    union all
    select
        agency_id,
        program_id,
        comparison_code,
        'all' as component_code,
        draw_number,
        sum(parameter_usd) as parameter_usd,
        sum(sampling_usd) as sampling_usd,
        sum(effect_usd) as effect_usd,
        sum(together_usd) as together_usd
    from valued
    group by agency_id, program_id, comparison_code, draw_number
),

ranged as (
    select
        agency_id,
        program_id,
        comparison_code,
        component_code,
        {%- for source in sources %}
        cast({{ percentile_nearest_rank(source ~ '_usd', 0.025) }} as decimal(18, 2)) as {{ source }}_low_usd,
        cast({{ percentile_nearest_rank(source ~ '_usd', 0.975) }} as decimal(18, 2)) as {{ source }}_high_usd,
        {%- endfor %}
        cast(round({{ quantile_error('together_usd', 0.025) }}, 2) as decimal(18, 2)) as monte_carlo_low_error_usd,
        cast(round({{ quantile_error('together_usd', 0.975) }}, 2) as decimal(18, 2)) as monte_carlo_high_error_usd
    from valued_or_all
    group by agency_id, program_id, comparison_code, component_code
),

outcome as (
    select
        *,
        {{ valued('averted', 'rate_central_usd') }} as avoided_capacity_usd,
        {{ valued('averted', 'cash_rate_usd') }} as avoided_cash_usd
    from priced
),

-- Each of the three things that are not known, alone at its low and its high end.
one_way as (
    select
        *,
        {%- for bound in ['low', 'high'] %}
        {%- set by = '-' if bound == 'low' else '+' %}
        {{ valued('averted', 'rate_' ~ bound ~ '_usd') }} as at_price_{{ bound }}_usd,
        {%- for arm in ['program', 'comparison'] %}
        {{ drawn_share(arm ~ '_share', arm ~ '_share_error', by ~ '1.959964') }} as {{ arm }}_at_{{ bound }},
        {%- endfor %}
        {%- endfor %}
        program_known_count * rate_central_usd as usd_per_share
    from outcome
),

-- The sum over the priced outcomes has no counts of its own.
total as (
    select
        agency_id,
        program_id,
        comparison_code,
        max(design_code) as design_code,
        cast(sum(avoided_capacity_usd) as decimal(18, 2)) as avoided_capacity_usd,
        cast(sum(avoided_cash_usd) as decimal(18, 2)) as avoided_cash_usd,
        {{ string_agg_sorted('capacity_range_basis_code', '; ') }} as capacity_range_basis_code,
        {%- for kind in ['capacity', 'cash'] %}
        coalesce(
            {{
                string_agg_sorted(
                    'case when avoided_' ~ kind ~ '_usd is not null then ' ~ kind ~ '_parameter_keys end', '; '
                )
            }},
            ''
        ) as {{ kind }}_parameter_keys,
        {%- endfor %}
        min(first_month) as first_month,
        max(last_month) as last_month
    from outcome
    group by agency_id, program_id, comparison_code
),

shown as (
    select
        agency_id,
        program_id,
        comparison_code,
        design_code,
        component_code,
        payer_code,
        first_month,
        last_month,
        program_known_count,
        program_event_count,
        comparison_known_count,
        comparison_event_count,
        program_share,
        comparison_share,
        averted,
        rate_central_usd,
        avoided_capacity_usd,
        avoided_cash_usd,
        at_price_low_usd,
        at_price_high_usd,
        {%- for bound in ['low', 'high'] %}
        cast(round((comparison_share - program_at_{{ bound }}) * usd_per_share, 2) as decimal(18, 2))
            as at_program_share_{{ bound }}_usd,
        cast(round((comparison_at_{{ bound }} - program_share) * usd_per_share, 2) as decimal(18, 2))
            as at_comparison_share_{{ bound }}_usd,
        {%- endfor %}
        usd_per_share,
        capacity_range_basis_code,
        capacity_parameter_keys,
        cash_parameter_keys
    from one_way
    union all
    select
        agency_id,
        program_id,
        comparison_code,
        design_code,
        'all' as component_code,
        'not_applicable' as payer_code,
        first_month,
        last_month,
        {%- for column in [
            'program_known_count', 'program_event_count', 'comparison_known_count', 'comparison_event_count'
        ] %}
        cast(null as bigint) as {{ column }},
        {%- endfor %}
        {%- for column in ['program_share', 'comparison_share', 'averted'] %}
        cast(null as double) as {{ column }},
        {%- endfor %}
        cast(null as decimal(18, 2)) as rate_central_usd,
        avoided_capacity_usd,
        avoided_cash_usd,
        {%- for column in [
            'at_price_low_usd', 'at_price_high_usd', 'at_program_share_low_usd', 'at_comparison_share_low_usd',
            'at_program_share_high_usd', 'at_comparison_share_high_usd'
        ] %}
        cast(null as decimal(18, 2)) as {{ column }},
        {%- endfor %}
        cast(null as double) as usd_per_share,
        capacity_range_basis_code,
        capacity_parameter_keys,
        cash_parameter_keys
    from total
),

final as (
    select
        shown.agency_id,
        shown.program_id,
        shown.comparison_code,
        shown.component_code,
        shown.design_code,
        shown.first_month,
        shown.last_month,
        case
            when shown.component_code = 'all' and shown.avoided_capacity_usd is null then 'not_available'
            when shown.component_code <> 'all' and shown.averted is null then 'not_available'
            else 'available'
        end as availability_code,
        case
            when shown.component_code = 'all' and shown.avoided_capacity_usd is null
                then 'No outcome has both a comparison and a price.'
            when shown.component_code <> 'all' and shown.averted is null
                then 'The program or its comparison has no contact of which the outcome is known.'
            else ''
        end as availability_reason,
        shown.payer_code,
        shown.program_known_count,
        shown.program_event_count,
        shown.comparison_known_count,
        shown.comparison_event_count,
        round(shown.program_share, 6) as program_share,
        round(shown.comparison_share, 6) as comparison_share,
        round(shown.averted, 4) as averted,
        shown.rate_central_usd,
        shown.avoided_capacity_usd,
        shown.avoided_cash_usd,
        program_cost.program_cost_usd,
        {{ cost_per_outcome('program_cost.program_cost_usd', 'shown.averted') }} as program_cost_per_averted_usd,
        case
            when shown.component_code = 'all'
                then {{ net_benefit('shown.avoided_capacity_usd', 'program_cost.program_cost_usd') }}
        end as net_capacity_usd,
        case
            when shown.component_code = 'all'
                then {{ benefit_cost_ratio('shown.avoided_capacity_usd', 'program_cost.program_cost_usd') }}
        end as benefit_cost_ratio,
        case
            when shown.usd_per_share > 0
                then round(shown.program_share + program_cost.program_cost_usd / shown.usd_per_share, 6)
        end as break_even_comparison_share,
        {%- for end in ['price', 'program_share', 'comparison_share'] %}
        shown.at_{{ end }}_low_usd,
        shown.at_{{ end }}_high_usd,
        {%- endfor %}
        {%- for source in sources %}
        ranged.{{ source }}_low_usd,
        ranged.{{ source }}_high_usd,
        {%- endfor %}
        ranged.monte_carlo_low_error_usd,
        ranged.monte_carlo_high_error_usd,
        {{ draw_count() }} as draws,
        'parameter; sampling; effect' as uncertainty_code,
        shown.capacity_range_basis_code,
        shown.capacity_parameter_keys,
        shown.cash_parameter_keys,
        choice.price_year,
        'cpi_u' as price_index_series
    from shown
    cross join choice
    left join program_cost
        on
            shown.agency_id = program_cost.agency_id
            and shown.program_id = program_cost.program_id
    left join ranged
        on
            shown.agency_id = ranged.agency_id
            and shown.program_id = ranged.program_id
            and shown.comparison_code = ranged.comparison_code
            and shown.component_code = ranged.component_code
)

select * from final
