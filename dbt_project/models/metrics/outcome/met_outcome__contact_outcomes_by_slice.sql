-- Grain: one row per agency, month, metric, outcome, slice and value of the slice; the slice 'all' is the total.
{%- set slices = [
    'response_model', 'race_ethnicity', 'age_band', 'sex_gender', 'language', 'housing_status', 'call_type'
] %}
{%- set outcomes = contact_answers() %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
),

agency as (
    select * from {{ ref('dim_agency') }}
),

answer as (
    select * from {{ ref('int_contact_answer') }}
),

outcome as (
    {%- for metric_id, name in outcomes %}
    select
        '{{ metric_id }}' as metric_id,
        '{{ name }}' as outcome_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- One scan: every slice of every outcome.
summed as (
    select
        agency_id,
        month,
        case
            {%- for slice in slices %}
            when grouping({{ slice }}_code) = 0 then '{{ slice }}'
            {%- endfor %}
            else 'all'
        end as slice_code,
        coalesce(
            {%- for slice in slices %}
            {{ slice }}_code,
            {%- endfor %}
            'all'
        ) as slice_value,
        {%- for metric_id, name in outcomes %}
        count(case when {{ name }} = 'yes' then 1 end) as {{ name }}_yes,
        count(case when {{ name }} = 'no' then 1 end) as {{ name }}_no,
        count(case when {{ name }} = 'not_applicable' then 1 end) as {{ name }}_not_applicable,
        {%- endfor %}
        count(*) as considered_count
    from answer
    group by grouping sets (
        {%- for slice in slices %}
        (agency_id, month, {{ slice }}_code),
        {%- endfor %}
        (agency_id, month)
    )
),

counted_apart as (
    select
        summed.agency_id,
        summed.month,
        outcome.metric_id,
        outcome.outcome_code,
        summed.slice_code,
        summed.slice_value,
        {%- for part in ['yes', 'no', 'not_applicable'] %}
        case outcome.outcome_code
            {%- for metric_id, name in outcomes %}
            when '{{ name }}' then summed.{{ name }}_{{ part }}
            {%- endfor %}
        end as {{ part }}_count,
        {%- endfor %}
        summed.considered_count
    from summed
    cross join outcome
),

counted as (
    select
        counted_apart.*,
        counted_apart.yes_count as outcome_count,
        counted_apart.yes_count + counted_apart.no_count as denominator_count,
        counted_apart.considered_count
        - counted_apart.not_applicable_count
        - counted_apart.yes_count
        - counted_apart.no_count as unknown_count,
        {{ share('counted_apart.yes_count', '(counted_apart.yes_count + counted_apart.no_count)') }} as outcome_share,
        case
            when counted_apart.metric_id = 'M21' and counted_apart.slice_code = 'all'
                then round(counted_apart.yes_count * 100000.0 / nullif(agency.population_served, 0), 4)
        end as per_100000_residents
    from counted_apart
    inner join agency on counted_apart.agency_id = agency.agency_id
),

-- What is not available says so once an outcome, in its total.
final as (
    select
        {{ metric_columns('contact') }},
        outcome.outcome_code,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('not_applicable_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }},
        {{ available_value('per_100000_residents') }}
    from metric_row
    inner join outcome on metric_row.metric_id = outcome.metric_id
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and outcome.outcome_code = counted.outcome_code
)

select * from final
