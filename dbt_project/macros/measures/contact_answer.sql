{#
  CTEs of the groups of contacts and what they answer, in three states; the last is `final`. is_windowed: of the months
  that are written; else of all, for tables that are rebuilt whole. Reports of force count in the contact's month.
#}
{% macro contact_answer(is_windowed) -%}
with contact as (
    select * from {{ ref('fct_contact') }} as contact
    {%- if is_windowed %}
    where {{ in_window('contact') }}
    {%- endif %}
),

force_event as (
    select * from {{ ref('stg_force_event') }} as force_event
    {%- if is_windowed %}
    where {{ in_window('force_event') }}
    {%- endif %}
),

injury as (
    select * from {{ ref('stg_injury') }} as injury
    {%- if is_windowed %}
    where {{ in_window('injury') }}
    {%- endif %}
),

-- Reports of force of the contact's month that name the contact.
force_report as (
    select
        contact_id,
        month,
        max(case
            when force_level_code = '3_serious' then 3
            when force_level_code = '2_intermediate' then 2
            when force_level_code = '1_minor' then 1
        end) as highest_level,
        count(case when force_level_code not in ('1_minor', '2_intermediate', '3_serious') then 1 end) = 0
            as is_level_known
    from force_event
    where
        contact_id is not null
        and force_used = 'yes'
    group by contact_id, month
),

-- Whom the reports of force call injured.
reported_injury as (
    select
        {%- for party in ['subject', 'officer', 'clinician', 'bystander'] %}
        count(case when injury.injury_party_code = '{{ party }}' then 1 end) > 0 as is_{{ party }}_injured,
        {%- endfor %}
        force_event.contact_id,
        force_event.month
    from injury
    inner join force_event
        on
            injury.agency_id = force_event.agency_id
            and injury.force_event_id = force_event.force_event_id
            and injury.month = force_event.month
    where
        force_event.contact_id is not null
        and coalesce(injury.injury_severity_code, 'not_recorded') <> 'none'
    group by force_event.contact_id, force_event.month
),

told as (
    select
        contact.*,
        force_report.contact_id is not null as has_force_report,
        force_report.highest_level,
        force_report.is_level_known,
        {%- for party in ['subject', 'officer', 'clinician', 'bystander'] %}
        coalesce(reported_injury.is_{{ party }}_injured, false) as is_{{ party }}_injured,
        {%- endfor %}
        case
            when force_report.contact_id is not null or contact.force_used = 'yes' then 'yes'
            when contact.force_used = 'no' then 'no'
            else 'unknown'
        end as any_force,
        case
            when contact.technique_codes = 'none' then 'no'
            when contact.technique_codes is null or contact.technique_codes in {{ unknown_codes() }} then 'unknown'
            else 'yes'
        end as technique_used,
        case
            when contact.enforcement_code in ('booked', 'arrested_unspecified') then 'yes'
            when contact.enforcement_code in ('cited', 'none') then 'no'
            else 'unknown'
        end as arrested,
        case
            when contact.legal_hold_code = 'involuntary' then 'yes'
            when contact.legal_hold_code in ('voluntary', 'none') then 'no'
            else 'unknown'
        end as involuntary_hold,
        coalesce(contact.destination_code in {{ unknown_codes() }}, true) as is_destination_unknown
    from contact
    left join force_report
        on
            contact.contact_id = force_report.contact_id
            and contact.month = force_report.month
    left join reported_injury
        on
            contact.contact_id = reported_injury.contact_id
            and contact.month = reported_injury.month
),

final as (
    select
        agency_id,
        contact_id,
        month,
        occurred_local_at,
        -- Groups: what is not known is a bucket of its own, and so are several races.
        coalesce(response_model_code, 'not_recorded') as response_model_code,
        case
            when race_ethnicity_codes is null then 'not_recorded'
            when position('|' in race_ethnicity_codes) > 0 then 'two_or_more'
            else race_ethnicity_codes
        end as race_ethnicity_code,
        {{ age_band('age_band_code', 'age_years') }} as age_band_code,
        coalesce(sex_gender_code, 'not_recorded') as sex_gender_code,
        coalesce(language_code, 'not_recorded') as language_code,
        coalesce(housing_status_code, 'not_recorded') as housing_status_code,
        coalesce(call_type_initial_code, 'not_recorded') as call_type_code,
        -- Answers: yes, no, unknown, or not_applicable.
        arrested,
        case arrested when 'yes' then 'no' when 'no' then 'yes' else arrested end as not_arrested,
        involuntary_hold,
        {%- for code in destinations() %}
        case
            when is_destination_unknown then 'unknown'
            when destination_code = '{{ code }}' then 'yes'
            else 'no'
        end as destination_{{ code }},
        {%- endfor %}
        any_force,
        {%- for level in [2, 3] %}
        case
            when highest_level >= {{ level }} then 'yes'
            when any_force = 'no' or (is_level_known and highest_level < {{ level }}) then 'no'
            else 'unknown'
        end as force_level_{{ level }}_or_more,
        {%- endfor %}
        {%- for level in [1, 2] %}
        case
            when any_force = 'no' or highest_level > {{ level }} then 'no'
            when is_level_known then case when highest_level = {{ level }} then 'yes' else 'no' end
            else 'unknown'
        end as force_level_{{ level }}_only,
        {%- endfor %}
        case when injury in ('yes', 'no') then injury else 'unknown' end as any_injury,
        {%- for party in ['subject', 'officer', 'clinician', 'bystander'] %}
        case
            when {{ list_holds('injured_party_codes', party) }} then 'yes'
            when injured_party_codes in {{ unknown_codes() }} or injured_party_codes is null
                then case when injury = 'no' then 'no' else 'unknown' end
            else 'no'
        end as {{ party }}_injured,
        case
            when is_{{ party }}_injured then 'yes'
            when has_force_report or any_force = 'no' then 'no'
            else 'unknown'
        end as {{ party }}_injured_in_force,
        {%- endfor %}
        technique_used,
        case when technique_used = 'yes' then any_force else 'not_applicable' end as force_despite_technique,
        case when handcuffs_used in ('yes', 'no') then handcuffs_used else 'unknown' end as handcuffed,
        case when restraint_used in ('yes', 'no') then restraint_used else 'unknown' end as restrained,
        -- Nobody was met: that is no contact that the community could have resolved.
        case
            when primary_disposition_code in {{ nobody_met() }} then 'not_applicable'
            when arrested = 'yes' or involuntary_hold = 'yes' then 'no'
            when destination_code in {{ hospital_or_jail() }} then 'no'
            when arrested = 'no' and involuntary_hold = 'no' and not is_destination_unknown then 'yes'
            else 'unknown'
        end as resolved_in_community,
        case
            when is_destination_unknown then 'unknown'
            when destination_code in {{ emergency_departments() }} then 'yes'
            else 'no'
        end as taken_to_ed,
        case
            when response_model_code in ({{ quoted(team_models()) }}) then 'yes'
            when response_model_code is null or response_model_code in {{ unknown_codes() }} then 'unknown'
            else 'no'
        end as met_by_team,
        case
            when response_model_code = 'cit_police' then 'yes'
            when response_model_code is null or response_model_code in {{ unknown_codes() }} then 'unknown'
            else 'no'
        end as met_by_cit_police
    from told
)
{%- endmacro %}
