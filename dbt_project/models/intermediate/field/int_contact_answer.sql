-- Grain: one row per agency and contact form of the window: its groups, and what it answers, in three states.
{{ contact_answer(is_windowed=true) }}

select * from final
