-- Grain: one row per agency, indicator and period (month, quarter, year). Rebuilt whole by each run.
{{ config(materialized='table') }}

{#- What each indicator sums: over (denominator) where it is a share; n where it is not; unknown beside it. -#}
{%- set form = "identification_method_code = 'field_form'" %}
{%- set bh_share = ['met_identification__bh_share', 'numerator_count', 'denominator_count', 'unknown_count'] %}
{%- set component = ['met_cost__component', 'event_count', 'known_count', 'unknown_count'] %}
{%- set indicators = {
    'bh_call_share': bh_share + ["identification_method_code = 'call_type_final' and bh_kind_code = 'any'"],
    'bh_calls': bh_share + ["identification_method_code = 'call_type_final' and bh_kind_code = 'any'"],
    'bh_calls_form': bh_share + [form ~ " and bh_kind_code = 'any'"],
    'bh_labor_cost': ['met_cost__cost_per_response', 'labor_cost_central_usd', 'known_count', 'unknown_count',
        form ~ " and item_code = 'officer_and_clinician_hour'"],
    'bh_officer_hours': ['met_workload__hours_on_task', 'officer_hours', 'officer_known_count',
        'officer_unknown_count', form],
    'bh_response_median': ['met_response__incident_response', 'median_seconds', 'known_count', 'missing_count', form],
    'crisis_contacts': ['met_outcome__share_not_arrested', 'considered_count', 'considered_count', '0', form],
    'ed_arrival_share': component + [form ~ " and component_code = 'ed_arrival' and slice_code = 'all'"],
    'force_share': component + [form ~ " and component_code = 'force' and slice_code = 'all'"],
    'injury_share': component + [form ~ " and component_code = 'injury' and slice_code = 'all'"],
    'jail_diversion_share': ['met_diversion__jail_diversion', 'not_booked_count', 'denominator_count',
        'arrestable_offense_unknown_count', form],
    'share_not_arrested': ['met_outcome__share_not_arrested', 'not_arrested_count', 'denominator_count',
        'unknown_count', form],
} %}
with indicator as (
    select * from {{ ref('indicator') }}
),

agency as (
    select * from {{ ref('dim_agency') }}
),

monthly as (
    {%- for code, (table, numerator, n, unknown, condition) in indicators.items() %}
    select
        agency_id,
        month,
        '{{ code }}' as indicator_code,
        availability_code,
        availability_reason,
        cast({{ numerator }} as decimal(18, 4)) as numerator,
        {{ n }} as n_count,
        {{ unknown }} as unknown_count,
        '{{ table }}' as table_name,
        '{{ numerator }}' as numerator_column,
        '{{ n }}' as n_column,
        '{{ condition | replace("'", "''") }}' as condition_text
    from {{ ref(table) }}
    where {{ condition }} and month <> 'unknown'
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

period as (
    {%- for code, period in {
        'month': 'month',
        'quarter': "substr(month, 1, 4) || '-Q' || cast(cast(ceil(cast(substr(month, 6, 2) as integer) / 3.0) as integer) as varchar)",
        'year': 'substr(month, 1, 4)',
    }.items() %}
    select
        *,
        '{{ code }}' as period_code,
        {{ period }} as period
    from monthly
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

summed as (
    select
        agency_id,
        indicator_code,
        period_code,
        period,
        max(table_name) as table_name,
        max(numerator_column) as numerator_column,
        max(n_column) as n_column,
        max(condition_text) as condition_text,
        min(month) as first_month,
        max(month) as last_month,
        count(case when availability_code = 'available' then 1 end) as month_count,
        {{ string_agg_sorted("nullif(availability_reason, '')", ' ') }} as reason,
        sum(numerator) as numerator,
        cast(sum(n_count) as bigint) as n_count,
        cast(sum(unknown_count) as bigint) as unknown_count
    from period
    group by agency_id, indicator_code, period_code, period
),

valued as (
    select
        summed.*,
        indicator.label,
        indicator.definition,
        indicator.limits,
        indicator.unit,
        indicator.kind_code,
        indicator.metric_id,
        agency.population_served,
        case summed.period_code when 'month' then 1 when 'quarter' then 3 else 12 end as months_in_period,
        summed.month_count > 0 and (indicator.kind_code <> 'median' or summed.period_code = 'month') as is_available,
        case
            when indicator.kind_code = 'share'
                then case when summed.n_count > 0 then round(cast(summed.numerator as double) / summed.n_count, 6) end
            when indicator.kind_code <> 'median' or summed.period_code = 'month'
                then round(cast(summed.numerator as double), 4)
        end as indicator_value,
        case
            when indicator.kind_code = 'share'
                then 'select round(sum(' || summed.numerator_column || ') / sum(' || summed.n_column || '), 6)'
            else 'select sum(' || summed.numerator_column || ')'
        end || ' from internal.' || summed.table_name || ' where agency_id = ''' || summed.agency_id
        || ''' and month between ''' || summed.first_month || ''' and ''' || summed.last_month || ''' and '
        || summed.condition_text as query_text
    from summed
    inner join indicator on summed.indicator_code = indicator.indicator_code
    inner join agency on summed.agency_id = agency.agency_id
),

final as (
    select
        valued.agency_id,
        valued.indicator_code,
        valued.period_code,
        valued.period,
        valued.metric_id,
        valued.label,
        case when valued.is_available then 'available' else 'not_available' end as availability_code,
        case
            when valued.is_available then ''
            when valued.month_count > 0 then 'A median is not made of the medians of months.'
            else coalesce(valued.reason, '')
        end as availability_reason,
        case when valued.is_available then valued.indicator_value end as indicator_value,
        valued.unit,
        case
            when valued.is_available and valued.kind_code = 'count' and valued.population_served > 0
                then round(valued.indicator_value * 100000 / valued.population_served, 4)
        end as per_100000,
        case when valued.is_available then valued.n_count end as n_count,
        case when valued.is_available then valued.unknown_count end as unknown_count,
        case
            when valued.is_available and valued.kind_code in ('count', 'share') then cast(valued.numerator as bigint)
        end as numerator_count,
        baseline.period as baseline_period,
        case when valued.is_available and baseline.is_available then baseline.indicator_value end as baseline_value,
        cast(valued.month_count as integer) as months_told,
        valued.months_in_period,
        valued.definition,
        valued.limits,
        case when valued.is_available then valued.query_text end as evidence_query
    from valued
    left join valued as baseline
        on
            valued.agency_id = baseline.agency_id
            and valued.indicator_code = baseline.indicator_code
            and valued.period_code = baseline.period_code
            and cast(cast(substr(valued.period, 1, 4) as integer) - 1 as varchar) || substr(valued.period, 5)
            = baseline.period
)

select * from final
