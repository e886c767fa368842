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
        {{ month_number('month') }} as month_number,
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
        cast(count(case when {{ name }} = 'yes' then 1 end) as double) as {{ name }}_yes,
        cast(count(case when {{ name }} in ('yes', 'no') then 1 end) as double) as {{ name }}_known,
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

-- A group within its stratum, of twelve months. Those of whom no group is known are compared with nobody.
cell as (
    select
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.slice_code,
        by_month.slice_value,
        {%- for metric_id, name in outcomes %}
        sum(by_month.{{ name }}_yes) as {{ name }}_yes,
        sum(by_month.{{ name }}_known) as {{ name }}_known,
        {%- endfor %}
        sum(by_month.contact_count) as contact_count
    from cohort
    inner join by_month
        on
            cohort.agency_id = by_month.agency_id
            and by_month.month_number between cohort.month_number - 11 and cohort.month_number
    where by_month.slice_value not in {{ unknown_codes() }}
    group by
        cohort.agency_id,
        cohort.month,
        by_month.call_type_code,
        by_month.hour_block_code,
        by_month.slice_code,
        by_month.slice_value
),

stratum as (
    select
        {%- for metric_id, name in outcomes %}
        sum({{ name }}_yes) as {{ name }}_yes,
        sum({{ name }}_known) as {{ name }}_known,
        {%- endfor %}
        agency_id,
        month,
        call_type_code,
        hour_block_code,
        slice_code
    from cell
    group by agency_id, month, call_type_code, hour_block_code, slice_code
),

-- The rest of the stratum: everybody of a known group but this one. An outcome is compared where both sides know it.
compared as (
    select
        {%- for metric_id, name in outcomes %}
        cell.{{ name }}_known > 0 and stratum.{{ name }}_known > cell.{{ name }}_known as is_{{ name }}_shared,
        stratum.{{ name }}_known as {{ name }}_weight,
        stratum.{{ name }}_yes as {{ name }}_stratum_yes,
        stratum.{{ name }}_yes - cell.{{ name }}_yes as {{ name }}_rest_yes,
        stratum.{{ name }}_known - cell.{{ name }}_known as {{ name }}_rest_known,
        {%- endfor %}
        cell.*
    from cell
    inner join stratum
        on
            cell.agency_id = stratum.agency_id
            and cell.month = stratum.month
            and cell.call_type_code = stratum.call_type_code
            and cell.hour_block_code = stratum.hour_block_code
            and cell.slice_code = stratum.slice_code
),

-- Direct standardization: both shares of a stratum weigh as the stratum does among all, where both sides have contacts.
-- Variance by the share over both sides: a handful of equal answers would otherwise seem to be without chance.
added as (
    select
        {%- for metric_id, name in outcomes %}
        {%- set known, rest_known, weight = name ~ '_known', name ~ '_rest_known', name ~ '_weight' %}
        {%- set all_yes = name ~ '_stratum_yes' %}
        sum({{ name }}_yes) as {{ name }}_yes,
        sum({{ known }}) as {{ known }},
        sum(case when is_{{ name }}_shared then {{ known }} else 0 end) as {{ name }}_compared,
        sum(case when is_{{ name }}_shared then {{ weight }} end) as {{ weight }},
        sum(case when is_{{ name }}_shared then {{ weight }} * ({{ name }}_yes / {{ known }}) end) as {{ name }}_share,
        sum(case when is_{{ name }}_shared then {{ weight }} * ({{ name }}_rest_yes / {{ rest_known }}) end)
            as {{ name }}_rest_share,
        sum(case
            when is_{{ name }}_shared
                then
                    {{ weight }} * {{ weight }} * (1 / {{ known }} + 1 / {{ rest_known }})
                    * {{ all_yes }} / {{ weight }} * (1 - {{ all_yes }} / {{ weight }})
        end) as {{ name }}_variance,
        {%- endfor %}
        agency_id,
        month,
        slice_code,
        slice_value,
        sum(contact_count) as contact_count
    from compared
    group by agency_id, month, slice_code, slice_value
),

summed as (
    {%- for metric_id, name in outcomes %}
    select
        agency_id,
        month,
        '{{ metric_id }}' as metric_id,
        '{{ name }}' as outcome_code,
        slice_code,
        slice_value,
        cast(contact_count as bigint) as considered_count,
        cast(contact_count - {{ name }}_known as bigint) as unknown_count,
        cast({{ name }}_known as bigint) as denominator_count,
        cast({{ name }}_yes as bigint) as outcome_count,
        cast({{ name }}_compared as bigint) as compared_count,
        {{ name }}_share / {{ name }}_weight as standardized,
        {{ name }}_rest_share / {{ name }}_weight as rest_standardized,
        sqrt({{ name }}_variance) / {{ name }}_weight as standard_error
    from added
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
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
