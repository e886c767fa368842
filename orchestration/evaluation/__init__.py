"""Program evaluations: checks of published arithmetic, frozen studies, estimators, and what they print."""
