-- Grain: one row per agency, month, outcome, slice and group. Each reads the contacts of twelve months. Rebuilt whole.
{{ config(materialized='table') }}
{%- set slices = ['race_ethnicity', 'age_band', 'sex_gender', 'language', 'housing_status'] %}
{%- set outcomes = equity_answers() %}

with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
),

answer as (
    select
        *,
        {{ hour_block('occurred_local_at') }} as hour_block_code
    from {{ ref('int_contact_answer_ever') }}
),

outcome as (
    {%- for metric_id, name in outcomes %}
    select
        '{{ metric_id }}' as metric_id,
        '{{ name }}' as outcome_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- One scan: each month's contacts by stratum and group; twelve months are then added up.
by_month as (
    select
        agency_id,
        month,
        call_type_code,
        hour_block_code,
        case
            {%- for slice in slices %}
            when grouping({{ slice }}_code) = 0 then '{{ slice }}'
            {%- endfor %}
        end as slice_code,
        coalesce(
            {%- for slice in slices %}
            {{ slice }}_code{{ ',' if not loop.last }}
            {%- endfor %}
        ) as slice_value,
        {%- for metric_id, name in outcomes %}
        count(case when {{ name }} = 'yes' then 1 end) as {{ name }}_yes,
        count(case when {{ name }} = 'no' then 1 end) as {{ name }}_no,
        {%- endfor %}
        count(*) as contact_count
    from answer
    where month <> 'unknown'
    group by grouping sets (
        {%- for slice in slices %}
        (agency_id, month, call_type_code, hour_block_code, {{ slice }}_code){{ ',' if not loop.last }}
        {%- endfor %}
    )
),

cohort as (
    select distinct
        agency_id,
        month,
        {{ month_number('month') }} as month_number
    from metric_row
    where month <> 'unknown'
),

twelve_months as (
    select
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.slice_code,
        by_month.slice_value,
        {%- for metric_id, name in outcomes %}
        sum(by_month.{{ name }}_yes) as {{ name }}_yes,
        sum(by_month.{{ name }}_yes + by_month.{{ name }}_no) as {{ name }}_known,
        {%- endfor %}
        sum(by_month.contact_count) as contact_count
    from cohort
    inner join by_month
        on
            cohort.agency_id = by_month.agency_id
            and {{ month_number('by_month.month') }} between cohort.month_number - 11 and cohort.month_number
    group by
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.slice_code,
        by_month.slice_value
),

cell as (
    select
        twelve_months.agency_id,
        twelve_months.month,
        twelve_months.call_type_code,
        twelve_months.hour_block_code,
        twelve_months.slice_code,
        twelve_months.slice_value,
        outcome.metric_id,
        outcome.outcome_code,
        {%- for answer in ['yes', 'known'] %}
        cast(case outcome.outcome_code
            {%- for metric_id, name in outcomes %}
            when '{{ name }}' then twelve_months.{{ name }}_{{ answer }}
            {%- endfor %}
        end as double) as {{ answer }}_count,
        {%- endfor %}
        twelve_months.contact_count
    from twelve_months
    cross join outcome
),

-- The rest of the stratum: everybody of a known group but this one.
compared as (
    select
        *,
        sum(yes_count) over stratum - yes_count as rest_yes_count,
        sum(known_count) over stratum - known_count as rest_known_count,
        sum(known_count) over stratum as weight
    from cell
    where slice_value not in {{ unknown_codes() }}
    window stratum as (
        partition by agency_id, month, call_type_code, hour_block_code, slice_code, outcome_code
    )
),

shared as (
    select
        *,
        known_count > 0 and rest_known_count > 0 as is_shared,
        yes_count / nullif(known_count, 0) as stratum_share,
        rest_yes_count / nullif(rest_known_count, 0) as rest_stratum_share
    from compared
),

-- By the stratum's share over both sides: a handful of equal answers would otherwise seem to be without chance.
varied as (
    select
        *,
        weight * weight * (1 / known_count + 1 / rest_known_count)
        * (yes_count + rest_yes_count) / weight * (1 - (yes_count + rest_yes_count) / weight) as stratum_variance
    from shared
),

-- Direct standardization: both shares of a stratum weigh as the stratum does among all, where both sides have contacts.
summed as (
    select
        agency_id,
        month,
        metric_id,
        outcome_code,
        slice_code,
        slice_value,
        cast(sum(contact_count) as bigint) as considered_count,
        cast(sum(contact_count) - sum(known_count) as bigint) as unknown_count,
        cast(sum(known_count) as bigint) as denominator_count,
        cast(sum(yes_count) as bigint) as outcome_count,
        cast(sum(case when is_shared then known_count else 0 end) as bigint) as compared_count,
        sum(case when is_shared then weight * stratum_share end) / sum(case when is_shared then weight end)
            as standardized,
        sum(case when is_shared then weight * rest_stratum_share end) / sum(case when is_shared then weight end)
            as rest_standardized,
        sqrt(sum(case when is_shared then stratum_variance end))
        / sum(case when is_shared then weight end) as standard_error
    from varied
    group by agency_id, month, metric_id, outcome_code, slice_code, slice_value
),

counted as (
    select
        *,
        {{ share('outcome_count', 'denominator_count') }} as crude_share,
        {{ share('compared_count', 'denominator_count') }} as compared_share,
        round(standardized, 6) as standardized_share,
        round(rest_standardized, 6) as rest_standardized_share,
        round(standardized - rest_standardized, 6) as share_gap,
        round(standard_error, 6) as share_gap_standard_error
    from summed
),

-- Forms that tell no group have nothing to compare.
grouped as (
    select distinct
        agency_id,
        month,
        metric_id
    from summed
),

told as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        case when grouped.agency_id is null then 'not_available' else metric_row.availability_code end
            as availability_code,
        case
            when metric_row.availability_code = 'available' and grouped.agency_id is null
                then 'No contact of the twelve months tells race, age, sex, language or housing.'
            else metric_row.availability_reason
        end as availability_reason
    from metric_row
    left join grouped
        on
            metric_row.agency_id = grouped.agency_id
            and metric_row.month = grouped.month
            and metric_row.metric_id = grouped.metric_id
),

final as (
    select
        {{ metric_columns('contact') }},
        outcome.outcome_code,
        coalesce(counted.slice_code, 'none') as slice_code,
        coalesce(counted.slice_value, 'none') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_count('compared_count') }},
        {{ available_value('crude_share') }},
        {{ available_value('compared_share') }},
        {{ available_value('standardized_share') }},
        {{ available_value('rest_standardized_share') }},
        {{ available_value('share_gap') }},
        {{ available_value('share_gap_standard_error') }}
    from told as metric_row
    inner join outcome on metric_row.metric_id = outcome.metric_id
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and outcome.outcome_code = counted.outcome_code
)

select * from final
