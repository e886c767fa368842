-- Grain: one row per agency, month, response model and outcome. Each reads twelve months of contacts. Rebuilt whole.
{{ config(materialized='table') }}
{%- set outcomes = ['arrested', 'involuntary_hold', 'taken_to_ed'] %}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id = 'M19'
),

answer as (
    select
        *,
        {{ hour_block('occurred_local_at') }} as hour_block_code
    from {{ ref('int_contact_answer_ever') }}
    where
        month <> 'unknown'
        and response_model_code not in {{ unknown_codes() }}
        and response_model_code <> 'follow_up_outreach'
),

cohort as (
    select distinct
        agency_id,
        month,
        {{ month_number('month') }} as month_number
    from metric_row
    where month <> 'unknown'
),

outcome as (
    {%- for name in outcomes %}
    select '{{ name }}' as outcome_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

by_month as (
    select
        agency_id,
        month,
        call_type_code,
        hour_block_code,
        response_model_code,
        {%- for name in outcomes %}
        count(case when {{ name }} = 'yes' then 1 end) as {{ name }}_yes,
        count(case when {{ name }} = 'no' then 1 end) as {{ name }}_no,
        {%- endfor %}
        count(*) as contact_count
    from answer
    group by agency_id, month, call_type_code, hour_block_code, response_model_code
),

cell as (
    select
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.response_model_code,
        outcome.outcome_code,
        sum(by_month.contact_count) as contact_count,
        cast(sum(case outcome.outcome_code
            {%- for name in outcomes %}
            when '{{ name }}' then by_month.{{ name }}_yes
            {%- endfor %}
        end) as double) as yes_count,
        cast(sum(case outcome.outcome_code
            {%- for name in outcomes %}
            when '{{ name }}' then by_month.{{ name }}_yes + by_month.{{ name }}_no
            {%- endfor %}
        end) as double) as known_count
    from cohort
    inner join by_month
        on
            cohort.agency_id = by_month.agency_id
            and {{ month_number('by_month.month') }} between cohort.month_number - 11 and cohort.month_number
    cross join outcome
    group by
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.response_model_code,
        outcome.outcome_code
),

baseline as (
    select * from cell
    where
        response_model_code = 'police_only'
        and known_count > 0
),

-- What the baseline's share of the stratum would have given; its own chance error is in the variance.
matched as (
    select
        cell.*,
        baseline.known_count as baseline_known_count,
        baseline.yes_count / baseline.known_count as baseline_share,
        cell.yes_count / nullif(cell.known_count, 0) as stratum_share
    from cell
    left join baseline
        on
            cell.agency_id = baseline.agency_id
            and cell.month = baseline.month
            and cell.call_type_code = baseline.call_type_code
            and cell.hour_block_code = baseline.hour_block_code
            and cell.outcome_code = baseline.outcome_code
    where cell.response_model_code <> 'police_only'
),

varied as (
    select
        *,
        baseline_share is not null and known_count > 0 as is_matched,
        known_count * known_count * baseline_share * (1 - baseline_share) / baseline_known_count
        + known_count * stratum_share * (1 - stratum_share) as stratum_variance
    from matched
),

summed as (
    select
        agency_id,
        month,
        response_model_code,
        outcome_code,
        cast(sum(contact_count) as bigint) as considered_count,
        cast(sum(contact_count - known_count) as bigint) as unknown_count,
        cast(sum(case when is_matched then 0 else known_count end) as bigint) as unmatched_count,
        cast(sum(case when is_matched then known_count else 0 end) as bigint) as denominator_count,
        cast(sum(case when is_matched then baseline_known_count else 0 end) as bigint) as baseline_count,
        cast(sum(case when is_matched then yes_count else 0 end) as bigint) as observed_count,
        sum(case when is_matched then known_count * baseline_share end) as modelled,
        sqrt(sum(case when is_matched then stratum_variance end)) as standard_error
    from varied
    group by agency_id, month, response_model_code, outcome_code
),

counted as (
    select
        *,
        round(modelled, 4) as modelled_events,
        round(modelled - observed_count, 4) as modelled_averted_events,
        round(modelled - observed_count - 1.959964 * standard_error, 4) as modelled_averted_low_events,
        round(modelled - observed_count + 1.959964 * standard_error, 4) as modelled_averted_high_events
    from summed
),

compared_agency as (
    select distinct
        agency_id,
        month
    from summed
),

told as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case when compared_agency.agency_id is null then 'not_available' else metric_row.availability_code end
            as availability_code,
        case
            when metric_row.availability_code = 'available' and compared_agency.agency_id is null
                then 'No contact of the twelve months had another response than police alone.'
            else metric_row.availability_reason
        end as availability_reason
    from metric_row
    left join compared_agency
        on
            metric_row.agency_id = compared_agency.agency_id
            and metric_row.month = compared_agency.month
),

final as (
    select
        {{ metric_columns('contact') }},
        outcome.outcome_code,
        coalesce(counted.response_model_code, 'none') as response_model_code,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('unmatched_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('baseline_count') }},
        {{ available_count('observed_count') }},
        {{ available_value('modelled_events') }},
        {{ available_value('modelled_averted_events') }},
        {{ available_value('modelled_averted_low_events') }},
        {{ available_value('modelled_averted_high_events') }}
    from told as metric_row
    cross join outcome
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and outcome.outcome_code = counted.outcome_code
)

select * from final
