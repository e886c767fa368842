{#
  The queue M/M/c: work comes at random, lasts for random times, and c units serve it in the order in which it came.
  Erlang 1917; formulas M40 to M43 of this standard. load: arrivals an hour times mean hours of service (in units).
  mass: the Poisson chance of `units` given `load`; below: the sum of the chances of fewer than `units`.
  Both carry the factor exp(-load), which cancels out and keeps large loads from overflowing.
#}

{# Chance of n for a Poisson variable with the mean `load`; log_factorial is ln(n!). #}
{% macro poisson_mass(load, n, log_factorial) -%}
    exp({{ n }} * ln({{ load }}) - {{ load }} - {{ log_factorial }})
{%- endmacro %}

{# Chance that work has to wait since all units are busy (M41). Units must be more than the load. #}
{% macro erlang_c(load, units, mass, below) -%}
    (
        {{ mass }} * {{ units }} / ({{ units }} - {{ load }})
        / ({{ below }} + {{ mass }} * {{ units }} / ({{ units }} - {{ load }}))
    )
{%- endmacro %}

{# Mean wait of all work, in the unit of service (M42). #}
{% macro erlang_mean_wait(wait_share, load, units, service) -%}
    {{ wait_share }} * {{ service }} / ({{ units }} - {{ load }})
{%- endmacro %}

{# Chance of a wait longer than `limit`, which has the unit of service (M43). #}
{% macro erlang_longer_than(wait_share, load, units, service, limit) -%}
    {{ wait_share }} * exp(-({{ units }} - {{ load }}) * {{ limit }} / {{ service }})
{%- endmacro %}
