-- Grain: one row per agency, month, identification method and kind of behavioral-health call.
{%- set typed_methods = ['call_type_initial', 'call_type_final'] %}
{%- set methods = typed_methods + ['field_form', 'narrative', 'program', 'any'] %}
{%- set kinds = ['mental_health', 'suicide', 'substance', 'cognitive'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M12'
),

-- One scan: what follows reads a few rows a month.
tally as (
    select
        incident.agency_id,
        incident.month,
        incident.exclusion_code,
        incident.is_exclusion_known,
        incident.call_type_initial_bh_kind_code,
        incident.call_type_final_bh_kind_code,
        {%- for method in methods %}
        incident.bh_{{ method }},
        {%- endfor %}
        count(*) as call_count
    from {{ ref('fct_incident') }} as incident
    where {{ in_window('incident') }}
    group by
        incident.agency_id,
        incident.month,
        incident.exclusion_code,
        incident.is_exclusion_known,
        {%- for method in methods %}
        incident.bh_{{ method }},
        {%- endfor %}
        incident.call_type_initial_bh_kind_code,
        incident.call_type_final_bh_kind_code
),

by_method as (
    {%- for method in methods %}
    select
        agency_id,
        month,
        exclusion_code,
        is_exclusion_known,
        call_count,
        '{{ method }}' as identification_method_code,
        bh_{{ method }} as answer,
        {{ method ~ '_bh_kind_code' if method in typed_methods else "'any'" }} as bh_kind_code
    from tally
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

kind as (
    select 'any' as bh_kind_code
    {%- for kind in kinds %}
    union all
    select '{{ kind }}' as bh_kind_code
    {%- endfor %}
),

-- Only a call type tells the kind.
metric_kind as (
    select
        metric_row.identification_method_code,
        kind.bh_kind_code
    from (select distinct identification_method_code from metric_row) as metric_row
    cross join kind
    where kind.bh_kind_code = 'any' or metric_row.identification_method_code in ('call_type_initial', 'call_type_final')
),

summed as (
    select
        by_method.agency_id,
        by_method.month,
        by_method.identification_method_code,
        kind.bh_kind_code,
        sum(by_method.call_count) as considered_count,
        {%- for code in ['duplicate', 'self_initiated', 'cancelled'] %}
        sum(case when by_method.exclusion_code = '{{ code }}' then by_method.call_count else 0 end) as {{ code }}_count,
        {%- endfor %}
        sum(case when by_method.exclusion_code = 'none' then by_method.call_count else 0 end) as eligible_count,
        sum(
            case
                when by_method.exclusion_code = 'none' and by_method.answer in ('yes', 'no') then by_method.call_count
                else 0
            end
        ) as denominator_count,
        sum(
            case
                when
                    by_method.exclusion_code = 'none'
                    and by_method.answer = 'yes'
                    and (kind.bh_kind_code = 'any' or by_method.bh_kind_code = kind.bh_kind_code)
                    then by_method.call_count
                else 0
            end
        ) as numerator_count,
        sum(
            case
                when by_method.exclusion_code = 'none' and not by_method.is_exclusion_known then by_method.call_count
                else 0
            end
        ) as exclusion_unknown_count
    from by_method
    cross join kind
    group by by_method.agency_id, by_method.month, by_method.identification_method_code, kind.bh_kind_code
),

counted as (
    select
        *,
        eligible_count - denominator_count as unknown_count,
        {{ share('numerator_count', 'denominator_count') }} as bh_share
    from summed
),

final as (
    select
        {{ metric_columns('community_call') }},
        metric_kind.bh_kind_code,
        case when metric_kind.bh_kind_code = 'any' then 'any' else 'by_kind' end as kind_group_code,
        case metric_row.identification_method_code
            when 'call_type_initial' then 'call_type_bh_share_lower_bound'
            when 'call_type_final' then 'call_type_bh_share_lower_bound'
            when 'any' then 'any_method_bh_share_not_comparable'
            else metric_row.identification_method_code || '_bh_share'
        end as share_name_code,
        {{ available_count('considered_count') }},
        {{ available_count('duplicate_count') }},
        {{ available_count('self_initiated_count') }},
        {{ available_count('cancelled_count') }},
        {{ available_count('eligible_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('numerator_count') }},
        {{ available_count('exclusion_unknown_count') }},
        {{ available_value('bh_share') }}
    from metric_row
    inner join metric_kind on metric_row.identification_method_code = metric_kind.identification_method_code
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
            and metric_kind.bh_kind_code = counted.bh_kind_code
)

select * from final
