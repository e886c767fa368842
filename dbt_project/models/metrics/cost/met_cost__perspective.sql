-- Grain: one row per agency, flow of money, program, component, payer and who is paid. Rebuilt whole by each run.
{{ config(materialized='table') }}
{%- set ranges = ['sampling_low_usd', 'sampling_high_usd', 'effect_low_usd', 'effect_high_usd'] %}
{%- set amounts = ['capacity_central_usd', 'capacity_low_usd', 'capacity_high_usd', 'cash_central_usd'] + ranges %}
{%- set columns = [
    'agency_id', 'flow_code', 'program_id', 'component_code', 'payer_code', 'paid_to_code', 'is_hidden', 'part_of_code',
    'first_month', 'last_month', 'availability_reason', 'event_count', 'capacity_central_usd', 'capacity_low_usd',
    'capacity_high_usd', 'cash_central_usd', 'capacity_parameter_keys', 'cash_parameter_keys', 'design_code',
    'uncertainty_code'
] %}
{%- set bounds = ['central', 'low', 'high'] %}
{%- set unpriced = "case when capacity_central_usd is null and availability_reason = '' then component_code end" %}

with component as (
    select * from {{ ref('met_cost__component') }}
    where
        slice_code = 'all'
        and identification_method_code = case
            when component_code in ({{ quoted(contact_amounts().keys()) }}) then 'field_form' else 'not_applicable'
        end
),

repeat_response as (
    select * from {{ ref('met_cost__repeat_response') }}
    where basis_code = 'person'
),

program_cost as (
    select * from {{ ref('met_cost__program') }}
),

avoided as (
    select * from {{ ref('met_cost__avoided') }}
),

agency as (
    select * from {{ ref('dim_agency') }}
),

agency_payer as (
    select
        agency.agency_id,
        coalesce(payer.payer_code, 'not_recorded') as payer_code
    from agency
    left join {{ ref('cost_payer') }} as payer on agency.agency_type_code = payer.agency_type_code
),

choice as (
    select cast(value as integer) as price_year
    from {{ ref('cost_choice') }}
    where choice_code = 'price_year'
),

price_index as (
    select * from {{ ref('price_index') }}
    where series = 'cpi_u'
),

-- What was done in a month, and what it cost; parts of other parts and what comes again are hidden in them.
month_part as (
    select
        agency_id,
        month,
        component_code,
        payer_code,
        is_hidden,
        part_of_code,
        availability_code,
        availability_reason,
        event_count,
        {%- for bound in bounds %}
        capacity_{{ bound }}_usd,
        {%- endfor %}
        cash_central_usd,
        capacity_parameter_keys,
        cash_parameter_keys
    from component
    union all
    select
        repeat_response.agency_id,
        repeat_response.month,
        'repeat_' || repeat_response.part_of_code || '_' || repeat_response.window_days || '_days' as component_code,
        case repeat_response.item_code when 'clinician_hour' then 'bh_provider' else agency_payer.payer_code end
            as payer_code,
        repeat_response.is_hidden,
        repeat_response.part_of_code,
        repeat_response.availability_code,
        repeat_response.availability_reason,
        repeat_response.repeat_count as event_count,
        {%- for bound in bounds %}
        repeat_response.capacity_{{ bound }}_usd,
        {%- endfor %}
        cast(null as decimal(18, 2)) as cash_central_usd,
        repeat_response.capacity_parameter_keys,
        '' as cash_parameter_keys
    from repeat_response
    inner join agency_payer on repeat_response.agency_id = agency_payer.agency_id
),

borne as (
    select
        agency_id,
        'bears' as flow_code,
        'not_applicable' as program_id,
        component_code,
        payer_code,
        'not_applicable' as paid_to_code,
        max(is_hidden) as is_hidden,
        max(part_of_code) as part_of_code,
        min(case when availability_code = 'available' then month end) as first_month,
        max(case when availability_code = 'available' then month end) as last_month,
        case
            when count(case when availability_code = 'available' then 1 end) > 0 then ''
            else {{ string_agg_sorted('availability_reason', ' ') }}
        end as availability_reason,
        sum(event_count) as event_count,
        {%- for bound in bounds %}
        sum(capacity_{{ bound }}_usd) as capacity_{{ bound }}_usd,
        {%- endfor %}
        sum(cash_central_usd) as cash_central_usd,
        max(case when capacity_central_usd is not null then capacity_parameter_keys else '' end)
            as capacity_parameter_keys,
        max(case when cash_central_usd is not null then cash_parameter_keys else '' end) as cash_parameter_keys,
        'not_applicable' as design_code,
        'parameter_range' as uncertainty_code
    from month_part
    group by agency_id, component_code, payer_code
),

program_paid as (
    select
        agency_id,
        'pays_program' as flow_code,
        program_id,
        'program_budget' as component_code,
        payer_code,
        'not_applicable' as paid_to_code,
        false as is_hidden,
        cast(null as varchar) as part_of_code,
        min(month) as first_month,
        max(month) as last_month,
        '' as availability_reason,
        sum(contact_count) as event_count,
        {%- for bound in bounds %}
        sum(fully_loaded_price_year_usd) as capacity_{{ bound }}_usd,
        {%- endfor %}
        cast(null as decimal(18, 2)) as cash_central_usd,
        '' as capacity_parameter_keys,
        '' as cash_parameter_keys,
        'not_applicable' as design_code,
        'none' as uncertainty_code
    from program_cost
    group by agency_id, program_id, payer_code
),

would_avoid as (
    select
        agency_id,
        'would_avoid' as flow_code,
        program_id,
        component_code,
        payer_code,
        'not_applicable' as paid_to_code,
        false as is_hidden,
        cast(null as varchar) as part_of_code,
        first_month,
        last_month,
        availability_reason,
        program_event_count as event_count,
        avoided_capacity_usd as capacity_central_usd,
        parameter_low_usd as capacity_low_usd,
        parameter_high_usd as capacity_high_usd,
        avoided_cash_usd as cash_central_usd,
        sampling_low_usd,
        sampling_high_usd,
        effect_low_usd,
        effect_high_usd,
        case when avoided_capacity_usd is not null then capacity_parameter_keys else '' end
            as capacity_parameter_keys,
        case when avoided_cash_usd is not null then cash_parameter_keys else '' end as cash_parameter_keys,
        design_code,
        uncertainty_code
    from avoided
    where component_code <> 'all'
),

-- Payments from whoever insures a person to whoever treats: no cost to everybody together. Fewer than 11 are not told.
treatment as (
    {%- for name, fact in {'ed_visit': 'fct_ed_visit', 'inpatient_stay': 'fct_inpatient_stay'}.items() %}
    select
        agency_id,
        month,
        '{{ name }}' as component_code,
        insurance_code,
        paid_usd
    from {{ ref(fact) }}
    where
        paid_usd is not null
        and month <> 'unknown'
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

payment as (
    select
        treatment.agency_id,
        treatment.component_code,
        treatment.insurance_code as payer_code,
        min(treatment.month) as first_month,
        max(treatment.month) as last_month,
        count(*) as event_count,
        cast(round(sum(treatment.paid_usd * chosen_index.value / paid_index.value), 2) as decimal(18, 2)) as paid_usd
    from treatment
    cross join choice
    left join price_index as paid_index on cast(substr(treatment.month, 1, 4) as integer) = paid_index.year
    left join price_index as chosen_index on choice.price_year = chosen_index.year
    group by treatment.agency_id, treatment.component_code, treatment.insurance_code
),

paid_another as (
    select
        payment.agency_id,
        'pays_another' as flow_code,
        'not_applicable' as program_id,
        payment.component_code,
        payment.payer_code,
        agency_payer.payer_code as paid_to_code,
        false as is_hidden,
        cast(null as varchar) as part_of_code,
        payment.first_month,
        payment.last_month,
        case when payment.event_count < 11 then 'Fewer than 11 payments.' else '' end as availability_reason,
        case when payment.event_count >= 11 then payment.event_count end as event_count,
        {%- for bound in bounds %}
        case when payment.event_count >= 11 then payment.paid_usd end as capacity_{{ bound }}_usd,
        {%- endfor %}
        cast(null as decimal(18, 2)) as cash_central_usd,
        '' as capacity_parameter_keys,
        '' as cash_parameter_keys,
        'not_applicable' as design_code,
        'none' as uncertainty_code
    from payment
    inner join agency_payer on payment.agency_id = agency_payer.agency_id
),

flow as (
    {%- for relation in ['borne', 'program_paid', 'would_avoid', 'paid_another'] %}
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        {%- for column in ranges %}
        {{ 'cast(null as decimal(18, 2)) as ' if relation != 'would_avoid' }}{{ column }},
        {%- endfor %}
        '' as unpriced_component_codes
    from {{ relation }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- Everybody together: parts of other parts once, and no payment from one to another.
society as (
    select
        agency_id,
        flow_code,
        program_id,
        'all' as component_code,
        'society' as payer_code,
        'not_applicable' as paid_to_code,
        false as is_hidden,
        cast(null as varchar) as part_of_code,
        min(first_month) as first_month,
        max(last_month) as last_month,
        case when count(capacity_central_usd) > 0 then '' else 'No part has a price.' end as availability_reason,
        cast(null as bigint) as event_count,
        {%- for bound in bounds %}
        {%- set kept = 'flow_code <> \'would_avoid\'' if bound != 'central' else 'true' %}
        sum(case when {{ kept }} then capacity_{{ bound }}_usd end) as capacity_{{ bound }}_usd,
        {%- endfor %}
        sum(cash_central_usd) as cash_central_usd,
        {%- for kind in ['capacity', 'cash'] %}
        {%- set keys = 'case when ' ~ kind ~ '_central_usd <> 0 and ' ~ kind ~ "_parameter_keys <> '' then " ~ kind
            ~ '_parameter_keys end' %}
        coalesce({{ string_agg_sorted(keys, '; ') }}, '') as {{ kind }}_parameter_keys,
        {%- endfor %}
        max(design_code) as design_code,
        max(uncertainty_code) as uncertainty_code,
        coalesce(
            {{ string_agg_sorted(unpriced, '; ') }}, ''
        ) as unpriced_component_codes
    from flow
    where
        flow_code <> 'pays_another'
        and part_of_code is null
    group by agency_id, flow_code, program_id
),

every_flow as (
    select * from flow
    union all
    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        {%- for column in ranges %}
        cast(null as decimal(18, 2)) as {{ column }},
        {%- endfor %}
        unpriced_component_codes
    from society
),

final as (
    select
        every_flow.agency_id,
        every_flow.flow_code,
        every_flow.program_id,
        every_flow.component_code,
        every_flow.payer_code as perspective_code,
        every_flow.paid_to_code,
        every_flow.is_hidden,
        every_flow.part_of_code,
        every_flow.first_month,
        every_flow.last_month,
        case when every_flow.availability_reason = '' then 'available' else 'not_available' end as availability_code,
        every_flow.availability_reason,
        cast(every_flow.event_count as bigint) as event_count,
        {%- for amount in amounts %}
        cast(every_flow.{{ amount }} as decimal(18, 2)) as {{ amount }},
        {%- endfor %}
        case
            when every_flow.capacity_central_usd is not null then 'priced'
            when every_flow.availability_reason <> '' then 'not_available'
            else 'no_dated_source'
        end as capacity_status_code,
        coalesce(every_flow.unpriced_component_codes, '') as unpriced_component_codes,
        every_flow.capacity_parameter_keys,
        every_flow.cash_parameter_keys,
        every_flow.design_code,
        every_flow.uncertainty_code,
        choice.price_year,
        'cpi_u' as price_index_series
    from every_flow
    cross join choice
)

select * from final
