-- Grain: one row per agency and contact form of all months: its groups, and what it answers, in three states.
{{ contact_answer(is_windowed=false) }}

select * from final
