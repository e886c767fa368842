-- Makes met_indicator__common out of the tables of the other scripts; run it last.

create table met_indicator__common as
with bh_share as (
    select agency_id, month, identification_method_code as method, numerator_count, denominator_count, unknown_count
    from met_identification__bh_share
    where bh_kind_code = 'any'
),

component as (
    select agency_id, month, component_code, event_count, known_count, unknown_count
    from met_cost__component
    where identification_method_code = 'field_form' and slice_code = 'all'
),

monthly as (
    select
        agency_id, month, unnest(['bh_call_share', 'bh_calls']) as indicator_code,
        numerator_count::decimal(18, 4) as numerator, denominator_count as n_count, unknown_count
    from bh_share
    where method = 'call_type_final'
    union all
    select agency_id, month, 'bh_calls_form', numerator_count, denominator_count, unknown_count
    from bh_share
    where method = 'field_form'
    union all
    select agency_id, month, 'bh_labor_cost', labor_cost_central_usd::decimal(18, 4), known_count, unknown_count
    from met_cost__cost_per_response
    where identification_method_code = 'field_form' and item_code = 'officer_and_clinician_hour'
    union all
    select
        agency_id, month, 'bh_officer_hours', officer_hours::decimal(18, 4), officer_known_count, officer_unknown_count
    from met_workload__hours_on_task
    where identification_method_code = 'field_form'
    union all
    select agency_id, month, 'bh_response_median', median_seconds::decimal(18, 4), known_count, missing_count
    from met_response__incident_response
    where identification_method_code = 'field_form'
    union all
    select agency_id, month, 'crisis_contacts', considered_count, considered_count, 0
    from met_outcome__share_not_arrested
    union all
    select agency_id, month, 'share_not_arrested', not_arrested_count, denominator_count, unknown_count
    from met_outcome__share_not_arrested
    union all
    select
        agency_id, month, 'jail_diversion_share', not_booked_count, denominator_count,
        arrestable_offense_unknown_count
    from met_diversion__jail_diversion
    union all
    select agency_id, month, 'ed_arrival_share', event_count, known_count, unknown_count
    from component
    where component_code = 'ed_arrival'
    union all
    select agency_id, month, component_code || '_share', event_count, known_count, unknown_count
    from component
    where component_code in ('force', 'injury')
),

period as (
    select
        *,
        unnest([
            {'period_code': 'month', 'period': month},
            {'period_code': 'quarter', 'period': month[:4] || '-Q' || quarter(strptime(month, '%Y-%m'))},
            {'period_code': 'year', 'period': month[:4]}
        ], recursive := true)
    from monthly
),

valued as (
    select
        agency_id, indicator_code, period_code, period, metric_id, kind_code, population_served,
        case
            when kind_code = 'share' then round(sum(numerator)::double / nullif(sum(n_count), 0), 6)
            else round(sum(numerator)::double, 4)
        end as indicator_value,
        case when kind_code in ('count', 'share') then sum(numerator)::bigint end as numerator_count,
        sum(n_count)::bigint as n_count, sum(unknown_count)::bigint as unknown_count,
        count(*)::integer as months_told
    from period
    join warehouse.reference.indicator using (indicator_code)
    join warehouse.marts.dim_agency using (agency_id)
    -- A median is not made of the medians of months.
    where kind_code <> 'median' or period_code = 'month'
    group by agency_id, indicator_code, period_code, period, metric_id, kind_code, population_served
)

select
    agency_id, indicator_code, period_code, period, valued.metric_id, valued.indicator_value,
    case when valued.kind_code = 'count' then round(valued.indicator_value * 100000 / valued.population_served, 4) end
        as per_100000,
    valued.n_count, valued.unknown_count, valued.numerator_count,
    baseline.indicator_value as baseline_value, valued.months_told
from valued
left join (
    select
        agency_id, indicator_code, period_code, indicator_value,
        (period[:4]::integer + 1) || period[5:] as period
    from valued
) as baseline using (agency_id, indicator_code, period_code, period);
