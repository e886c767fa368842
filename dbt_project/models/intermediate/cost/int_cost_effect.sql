-- Grain: one row per agency, program, outcome of contacts and named comparison.
{%- set outcomes = contact_events() %}
with program as (
    select * from {{ ref('fct_program') }}
    where start_date is not null
),

comparison as (
    select * from {{ ref('cost_comparison') }}
),

-- An outcome that the agency's forms cannot tell in a month did not happen to none.
told as (
    select
        agency_id,
        month,
        substr(metric_id, 5) as component_code
    from {{ ref('int_metric_availability_ever') }}
    where
        metric_id like 'M46.%'
        and identification_method_code = 'field_form'
        and availability_code = 'available'
),

contact as (
    select * from {{ ref('fct_contact') }}
    where month <> 'unknown'
),

tally as (
    select
        agency_id,
        program_id,
        month,
        response_model_code,
        {%- for name, amount in outcomes.items() %}
        {{ component_tally(name, amount) }},
        {%- endfor %}
        count(*) as contact_count
    from contact
    group by agency_id, program_id, month, response_model_code
),

every_outcome as (
    {%- for name in outcomes %}
    select
        agency_id,
        program_id,
        month,
        response_model_code,
        '{{ name }}' as component_code,
        {{ name }}_known as known_count,
        {{ name }}_event as event_count
    from tally
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

outcome as (
    select every_outcome.*
    from every_outcome
    inner join told
        on
            every_outcome.agency_id = told.agency_id
            and every_outcome.month = told.month
            and every_outcome.component_code = told.component_code
),

of_program as (
    select
        program.agency_id,
        program.program_id,
        outcome.component_code,
        min(outcome.month) as first_month,
        max(outcome.month) as last_month,
        cast(sum(outcome.known_count) as bigint) as known_count,
        cast(sum(outcome.event_count) as bigint) as event_count
    from program
    inner join outcome
        on
            program.agency_id = outcome.agency_id
            and program.program_id = outcome.program_id
            and {{ month_of('program.start_date') }} <= outcome.month
    group by program.agency_id, program.program_id, outcome.component_code
),

of_comparison as (
    select
        program.agency_id,
        program.program_id,
        comparison.comparison_code,
        outcome.component_code,
        cast(sum(outcome.known_count) as bigint) as known_count,
        cast(sum(outcome.event_count) as bigint) as event_count
    from program
    cross join comparison
    inner join outcome
        on
            program.agency_id = outcome.agency_id
            and comparison.response_model_code = outcome.response_model_code
            and outcome.program_id is null
            and {{ month_of('program.start_date') }} <= outcome.month
            and coalesce({{ month_of('program.end_date') }} >= outcome.month, true)
    group by program.agency_id, program.program_id, comparison.comparison_code, outcome.component_code
),

seen as (
    select
        of_program.agency_id,
        of_program.program_id,
        of_program.component_code,
        comparison.comparison_code,
        comparison.design_code,
        of_program.first_month,
        of_program.last_month,
        of_program.known_count as program_known_count,
        of_program.event_count as program_event_count,
        coalesce(of_comparison.known_count, 0) as comparison_known_count,
        coalesce(of_comparison.event_count, 0) as comparison_event_count
    from of_program
    cross join comparison
    left join of_comparison
        on
            of_program.agency_id = of_comparison.agency_id
            and of_program.program_id = of_comparison.program_id
            and of_program.component_code = of_comparison.component_code
            and comparison.comparison_code = of_comparison.comparison_code
),

final as (
    select
        *,
        case
            when program_known_count > 0 then cast(program_event_count as double) / program_known_count
        end as program_share,
        case
            when comparison_known_count > 0 then cast(comparison_event_count as double) / comparison_known_count
        end as comparison_share,
        {{ share_error('program_event_count', 'program_known_count') }} as program_share_error,
        {{ share_error('comparison_event_count', 'comparison_known_count') }} as comparison_share_error
    from seen
)

select * from final
