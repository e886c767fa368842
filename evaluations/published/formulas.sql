{# Formulas that published tables use and the warehouse's own metrics do not. #}

{% macro total(amounts) -%} ({{ amounts | join(' + ') }}) {%- endmacro %}

{% macro expected_count(count, share) -%} {{ count }} * {{ share }} {%- endmacro %}

{% macro chained_share(first, second) -%} {{ first }} * {{ second }} {%- endmacro %}

{% macro ratio(part, whole) -%} cast({{ part }} as double) / {{ whole }} {%- endmacro %}

{% macro relative_fall(before, after) -%} 1 - cast({{ after }} as double) / {{ before }} {%- endmacro %}

{# Goodness of fit of two counts to equal shares, one degree of freedom. #}
{% macro chi_square_of_two_counts(first, second) -%}
    power({{ first }} - {{ second }}, 2) / ({{ first }} + {{ second }})
{%- endmacro %}
