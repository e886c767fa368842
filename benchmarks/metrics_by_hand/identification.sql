-- Makes met_identification__bh_share and met_identification__method_overlap, from one scan of the calls.

create or replace temp table tally as
select
    agency_id, month, exclusion_code, is_exclusion_known,
    bh_call_type_initial as initial, bh_call_type_final as final, bh_field_form as form, bh_any,
    call_type_initial_bh_kind_code as initial_kind, call_type_final_bh_kind_code as final_kind,
    count(*) as call_count
from warehouse.marts.fct_incident
group by all;

create or replace temp macro calls(call_count, is_counted) as
    coalesce(sum(call_count) filter (is_counted), 0)::bigint;

-- Narratives and programs are coded by no agency yet.
create table met_identification__bh_share as
with by_method as (
    select
        agency_id, month, exclusion_code, is_exclusion_known, call_count,
        unnest([
            {'method': 'call_type_initial', 'answer': initial, 'kind': initial_kind},
            {'method': 'call_type_final', 'answer': final, 'kind': final_kind},
            {'method': 'field_form', 'answer': form, 'kind': null},
            {'method': 'any', 'answer': bh_any, 'kind': null}
        ], recursive := true)
    from tally
),

kind as (
    from (values ('any'), ('mental_health'), ('suicide'), ('substance'), ('cognitive')) as kind (bh_kind_code)
)

select
    agency_id, month, 'M12' as metric_id, method as identification_method_code, bh_kind_code,
    sum(call_count)::bigint as considered_count,
    calls(call_count, exclusion_code = 'duplicate') as duplicate_count,
    calls(call_count, exclusion_code = 'self_initiated') as self_initiated_count,
    calls(call_count, exclusion_code = 'cancelled') as cancelled_count,
    calls(call_count, exclusion_code = 'none') as eligible_count,
    calls(call_count, exclusion_code = 'none' and answer not in ('yes', 'no')) as unknown_count,
    calls(call_count, exclusion_code = 'none' and answer in ('yes', 'no')) as denominator_count,
    calls(
        call_count, exclusion_code = 'none' and answer = 'yes' and (bh_kind_code = 'any' or kind = bh_kind_code)
    ) as numerator_count,
    calls(call_count, exclusion_code = 'none' and not is_exclusion_known) as exclusion_unknown_count
from by_method
cross join kind
where bh_kind_code = 'any' or method like 'call_type%'
group by agency_id, month, method, bh_kind_code;

create table met_identification__method_overlap as
with paired as (
    select
        agency_id, month, exclusion_code, call_count,
        unnest([
            {'method': 'call_type_initial', 'compared': 'call_type_final', 'one': initial, 'other': final},
            {'method': 'call_type_initial', 'compared': 'field_form', 'one': initial, 'other': form},
            {'method': 'call_type_final', 'compared': 'field_form', 'one': final, 'other': form}
        ], recursive := true)
    from tally
)

select
    agency_id, month, 'M12b' as metric_id, method as identification_method_code, compared as compared_method_code,
    sum(call_count)::bigint as considered_count,
    calls(call_count, exclusion_code = 'duplicate') as duplicate_count,
    calls(call_count, exclusion_code = 'self_initiated') as self_initiated_count,
    calls(call_count, exclusion_code = 'cancelled') as cancelled_count,
    calls(call_count, exclusion_code = 'none') as eligible_count,
    calls(call_count, exclusion_code = 'none' and one = 'yes') as method_bh_count,
    calls(call_count, exclusion_code = 'none' and one not in ('yes', 'no')) as method_unknown_count,
    calls(call_count, exclusion_code = 'none' and other = 'yes') as compared_bh_count,
    calls(call_count, exclusion_code = 'none' and other not in ('yes', 'no')) as compared_unknown_count,
    calls(call_count, exclusion_code = 'none' and one in ('yes', 'no') and other in ('yes', 'no'))
        as denominator_count,
    calls(call_count, exclusion_code = 'none' and one = 'yes' and other = 'yes') as both_count,
    calls(call_count, exclusion_code = 'none' and one = 'yes' and other = 'no') as method_only_count,
    calls(call_count, exclusion_code = 'none' and one = 'no' and other = 'yes') as compared_only_count,
    calls(call_count, exclusion_code = 'none' and one = 'no' and other = 'no') as neither_count,
    eligible_count - denominator_count as unknown_count,
    round(both_count / (both_count + method_only_count + compared_only_count), 6) as overlap_share,
    case when compared = 'field_form' then round(both_count / (both_count + method_only_count), 6) end
        as form_precision_share,
    case when compared = 'field_form' then round(both_count / (both_count + compared_only_count), 6) end
        as form_recall_share
from paired
group by agency_id, month, method, compared;
