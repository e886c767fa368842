-- Grain: one row per agency, month and pair of identification methods.
{#- The form stands last: it is the compared method of each of its pairs. #}
{%- set methods = ['call_type_initial', 'call_type_final', 'narrative', 'program', 'field_form'] %}
with metric_row_of_method as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M12b'
),

method as (
    {%- for method in methods %}
    select
        '{{ method }}' as identification_method_code,
        {{ loop.index }} as method_number
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

numbered as (
    select
        metric_row_of_method.*,
        method.method_number
    from metric_row_of_method
    inner join method on metric_row_of_method.identification_method_code = method.identification_method_code
),

-- A pair can be told where both of its methods can.
metric_row as (
    select
        one.agency_id,
        one.month,
        one.metric_id,
        one.identification_method_code,
        other.identification_method_code as compared_method_code,
        case
            when one.availability_code = 'available' and other.availability_code = 'available' then 'available'
            else 'not_available'
        end as availability_code,
        case
            when one.availability_code = 'available' and other.availability_code = 'available' then ''
            when one.availability_code = 'available' then 'Not identifiable: ' || other.availability_reason
            when other.availability_code = 'available' or one.availability_reason = other.availability_reason
                then 'Not identifiable: ' || one.availability_reason
            else 'Not identifiable: ' || one.availability_reason || ' ' || other.availability_reason
        end as availability_reason
    from numbered as one
    inner join numbered as other
        on
            one.agency_id = other.agency_id
            and one.month = other.month
            and one.method_number < other.method_number
),

-- One scan: what follows reads a few rows a month.
tally as (
    select
        incident.agency_id,
        incident.month,
        incident.exclusion_code,
        {%- for method in methods %}
        incident.bh_{{ method }},
        {%- endfor %}
        count(*) as call_count
    from {{ ref('fct_incident') }} as incident
    where {{ in_window('incident') }}
    group by
        incident.agency_id,
        incident.month,
        {%- for method in methods %}
        incident.bh_{{ method }},
        {%- endfor %}
        incident.exclusion_code
),

paired as (
    {%- for method in methods[:-1] %}
    {%- set outer_loop = loop %}
    {%- for compared in methods[loop.index:] %}
    select
        agency_id,
        month,
        exclusion_code,
        call_count,
        '{{ method }}' as identification_method_code,
        '{{ compared }}' as compared_method_code,
        bh_{{ method }} as method_answer,
        bh_{{ compared }} as compared_answer
    from tally
    {%- if not (outer_loop.last and loop.last) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
),

judged as (
    select
        *,
        exclusion_code = 'none' as is_eligible,
        exclusion_code = 'none' and method_answer in ('yes', 'no') and compared_answer in ('yes', 'no') as is_known
    from paired
),

{% set conditions = {
    'considered': 'true',
    'duplicate': "exclusion_code = 'duplicate'",
    'self_initiated': "exclusion_code = 'self_initiated'",
    'cancelled': "exclusion_code = 'cancelled'",
    'eligible': 'is_eligible',
    'method_bh': "is_eligible and method_answer = 'yes'",
    'method_unknown': "is_eligible and method_answer not in ('yes', 'no')",
    'compared_bh': "is_eligible and compared_answer = 'yes'",
    'compared_unknown': "is_eligible and compared_answer not in ('yes', 'no')",
    'denominator': 'is_known',
    'both': "is_known and method_answer = 'yes' and compared_answer = 'yes'",
    'method_only': "is_known and method_answer = 'yes' and compared_answer = 'no'",
    'compared_only': "is_known and method_answer = 'no' and compared_answer = 'yes'",
    'neither': "is_known and method_answer = 'no' and compared_answer = 'no'",
} -%}
summed as (
    select
        agency_id,
        month,
        identification_method_code,
        {%- for name, condition in conditions.items() %}
        sum(case when {{ condition }} then call_count else 0 end) as {{ name }}_count,
        {%- endfor %}
        compared_method_code
    from judged
    group by agency_id, month, identification_method_code, compared_method_code
),

counted as (
    select
        *,
        eligible_count - denominator_count as unknown_count,
        {{ share('both_count', '(both_count + method_only_count + compared_only_count)') }} as overlap_share,
        case
            when compared_method_code = 'field_form'
                then {{ share('both_count', '(both_count + method_only_count)') }}
        end as form_precision_share,
        case
            when compared_method_code = 'field_form'
                then {{ share('both_count', '(both_count + compared_only_count)') }}
        end as form_recall_share
    from summed
),

final as (
    select
        {{ metric_columns('community_call') }},
        metric_row.compared_method_code,
        {%- for name in (conditions.keys() | list) + ['unknown'] %}
        {{ available_count(name ~ '_count') }},
        {%- endfor %}
        {{ available_value('overlap_share') }},
        {{ available_value('form_precision_share') }},
        {{ available_value('form_recall_share') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
            and metric_row.compared_method_code = counted.compared_method_code
)

select * from final
