"""The linkage model: learned once without labels, then frozen with its term frequencies and its hot blocking keys.

Everything that this module says of a pair follows from the two profiles and the frozen model alone, never from other
records. That is why an increment gives the same pairs as a full run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb

from orchestration.engine import text
from orchestration.linkage.records import seed_rows
from orchestration.yaml_file import read_yaml

MODEL_FILE = Path(__file__).parent / "model.yml"
ELSE = "else"


@dataclass(frozen=True)
class Model:
    """The stated model file. Sections as model.yml explains them."""

    said: dict

    @classmethod
    def load(cls, path: Path = MODEL_FILE) -> Model:
        said = read_yaml(path)
        for level in (lv for c in said["comparisons"] for lv in c["levels"] if "sql" in lv):
            level["sql"] = level["sql"].replace("{two_names}", f"({said['two_names']})")
        return cls(said)

    @cached_property
    def digest(self) -> str:
        """Changes with all that training depends on; the zones' rules do not count."""
        said = {k: v for k, v in self.said.items() if k != "zones"} | {"nicknames": seed_rows("nickname.csv")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def term_columns(self) -> list[str]:
        return [c["column"] for c in self.said["comparisons"] if any(lv.get("term_frequency") for lv in c["levels"])]

    def level_sql(self, column: str) -> str:
        """SQL that names the level of a pair in one comparison, over columns with _l and _r."""
        (comparison,) = (c for c in self.said["comparisons"] if c["column"] == column)
        cases = " ".join(f"when {lv['sql']} then {text(lv['name'])}" for lv in comparison["levels"] if "sql" in lv)
        return f"case {cases} else '{ELSE}' end"

    @cached_property
    def apart_rules(self) -> dict[str, str]:
        """{column: SQL that is true of a pair whose values of it cannot be of one person}."""
        rules = {c: f"({self.level_sql(c)}) = '{ELSE}'" for c in self.said["apart"]["comparisons"]}
        return rules | {c: f"coalesce({c}_l <> {c}_r, false)" for c in self.said["apart"]["columns"]}

    @property
    def apart_sql(self) -> str:
        """SQL that is true of a pair that cannot be one person, unless its number is the same."""
        return f"(({' or '.join(self.apart_rules.values())}) and coalesce(person_number_l <> person_number_r, true))"

    @cached_property
    def support_sql(self) -> str:
        """SQL that is true of a pair that agrees, at least nearly, in something beside the names."""
        return " or ".join(f"({self.level_sql(c)}) not in ('missing', '{ELSE}')" for c in self.said["support"])

    @cached_property
    def exact_sql(self) -> str:
        return f"coalesce({self.said['exact']}, false)"


@dataclass(frozen=True)
class Frozen:
    """A trained model. parameters: {column: {level: [m, u]}}. prior: probability that two profiles are one person.

    trained_on: profiles. Its term frequencies and hot keys lie in tables `term_frequency` (term_column, value,
    frequency) and `hot_key` (rule, key).
    """

    version: int
    digest: str
    prior: float
    trained_on: int
    is_stated: bool
    parameters: dict[str, dict[str, list[float]]]


def splink_settings(model: Model, frozen: Frozen) -> dict:
    """The model as Splink's settings, with the frozen m and u."""
    comparisons = []
    for c in model.said["comparisons"]:
        levels = []
        for level in c["levels"]:
            out = {"sql_condition": level.get("sql", "ELSE"), "label_for_charts": level["name"]}
            if level["name"] == "missing":
                out["is_null_level"] = True
            else:
                m, u = frozen.parameters[c["column"]][level["name"]]
                out |= {"m_probability": m, "u_probability": u}
                if (
                    level.get("term_frequency") and not frozen.is_stated
                ):  # few records say nothing of how rare a value is
                    out["tf_adjustment_column"] = c["column"]
            levels.append(out)
        comparisons.append({"output_column_name": c["column"], "comparison_levels": levels})
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "profile_no",
        "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": [],
        "probability_two_random_records_match": frozen.prior,
        "retain_matching_columns": False,
        "linker_uid": "people",
    }


def stated(model: Model, version: int, profiles: int) -> Frozen:
    """The model as its file states it, before anything is learned; the prior is one other profile for each."""
    parameters = {
        c["column"]: {lv["name"]: [lv["m"], lv["u"]] for lv in c["levels"] if "m" in lv}
        for c in model.said["comparisons"]
    }
    prior = 1 / max(profiles, 1000)
    return Frozen(version, model.digest, prior, profiles, True, parameters)


def add_traits(con: duckdb.DuckDBPyConnection, model: Model, profiles: str, into: str) -> None:
    """Makes table `into`: the profiles as they are compared; tables `term_frequency` stands.

    Names that stand in each other's field are turned round. formal_name: the names that the first name may mean: itself,
    those that it is a nickname of, and those that it may be a typing error of. uses: how many training profiles had it.
    """
    con.execute("create or replace temp table nickname (nickname varchar, name varchar)")
    rows = [(r["nickname"], r["name"]) for r in seed_rows("nickname.csv")]
    con.executemany("insert into nickname values (?, ?)", rows)
    con.execute(
        f"""
        create or replace temp table {into} as
        with firsts as (select value, uses, frequency from term_frequency where term_column = 'first_name'),
        lasts as (select value, frequency from term_frequency where term_column = 'last_name'),
        rare as (select min(frequency / uses) as share from term_frequency where term_column = 'last_name'),
        weighed as (
            select profiles.*, coalesce(
                    coalesce(swapped_first.frequency, rare.share) * coalesce(swapped_last.frequency, rare.share)
                    > {model.said["turn_round"]}
                        * coalesce(as_first.frequency, rare.share) * coalesce(as_last.frequency, rare.share),
                    false) and first_name is not null and last_name is not null as is_turned
            from {profiles} as profiles cross join rare
            left join firsts as as_first on as_first.value = first_name
            left join lasts as as_last on as_last.value = last_name
            left join firsts as swapped_first on swapped_first.value = last_name
            left join lasts as swapped_last on swapped_last.value = first_name
        ),
        turned as (
            select * exclude (first_name, last_name, is_turned),
                if(is_turned, last_name, first_name) as first_name, if(is_turned, first_name, last_name) as last_name
            from weighed
        ),
        given as (select distinct first_name from turned where first_name is not null),
        -- two names one letter off each other agree after one letter is left out of either
        shortened as (
            select first_name, coalesce(uses, 1) as uses, unnest(list_prepend(first_name, list_transform(
                    range(1, length(first_name) + 1), i -> first_name[:i - 1] || first_name[i + 1:]))) as rest
            from given left join firsts on value = first_name where length(first_name) > 3
        ),
        common as (
            select value, uses, unnest(list_prepend(value, list_transform(
                    range(1, length(value) + 1), i -> value[:i - 1] || value[i + 1:]))) as rest
            from firsts where uses >= {model.said["typing_error"]} and length(value) > 2
        ),
        meant as (
            select nickname as first_name, name from nickname
            union
            select first_name, value from shortened join common using (rest)
            where common.uses >= {model.said["typing_error"]} * shortened.uses
                and damerau_levenshtein(first_name, value) = 1
        ),
        listed as (select first_name, list(name order by name) as names from meant group by first_name)
        select turned.*,
            if(turned.first_name is null, null, list_distinct(list_prepend(turned.first_name, coalesce(names, [])))) as formal_name,
            firsts.uses
        from turned
        left join listed on listed.first_name = turned.first_name
        left join firsts on firsts.value = turned.first_name
        """
    )


def count_terms(con: duckdb.DuckDBPyConnection, model: Model, profiles: str) -> None:
    """Makes table `term_frequency` (term_column, value, uses, frequency) of the profiles.

    A value of one profile alone is left out, so that the frozen model keeps nobody's own phone or address.
    """
    selects = " union all ".join(
        f"select {text(c)} as term_column, {c} as value, count(*) as uses, count(*) / sum(count(*)) over () as frequency"
        f" from {profiles} where {c} is not null group by {c} qualify uses > 1"
        for c in model.term_columns
    )
    con.execute(f"create or replace temp table term_frequency as {selects}")


def _keys_sql(model: Model, profiles: str) -> str:
    """SQL of the blocking keys of profiles with traits: rule, key, profile_no."""
    selects = []
    for rule, key in model.said["blocking"].items():
        source = f"(select *, unnest(formal_name) as formal from {profiles})" if "{formal}" in key else profiles
        sql = key.replace("{formal}", "formal")
        selects.append(f"select {text(rule)} as rule, {sql} as key, profile_no from {source} where ({sql}) is not null")
    return " union all ".join(selects)


def make_blocks(con: duckdb.DuckDBPyConnection, model: Model, profiles: str) -> None:
    """Makes table `block` (key, profile_no) of profiles with traits; a key is a digest that holds within this run."""
    con.execute(
        f"create or replace temp table block as select hash(rule, key) as key, profile_no from ({_keys_sql(model, profiles)})"
    )


def find_hot_keys(con: duckdb.DuckDBPyConnection, model: Model, profiles: str) -> None:
    """Makes table `hot_key` (rule, key): keys that more profiles share than the model looks at. Table `block` stands."""
    limits = dict(model.said["largest_block"])
    other = limits.pop("other")
    limit = " ".join(f"when {text(rule)} then {n}" for rule, n in limits.items())
    con.execute(
        f"""
        create or replace temp table hot_key as
        with large as (select key from block group by key having count(*) > {min([other, *limits.values()])})
        select rule, key from ({_keys_sql(model, profiles)})
        where hash(rule, key) in (select key from large)
        group by all having count(distinct profile_no) > case rule {limit} else {other} end
        """
    )


def make_pairs(con: duckdb.DuckDBPyConnection, new: str) -> int:
    """Makes table `pair` (match_key, join_key_l, join_key_r) of the pairs that share a key that is not hot and of which
    at least one profile is in table `new`; returns their number."""
    con.execute(
        f"""
        create or replace temp table pair as
        with keys as (
            select key, profile_no, profile_no in (select profile_no from {new}) as is_new
            from block where key not in (select hash(rule, key) from hot_key)
        ),
        fresh as (select * from keys where is_new)
        select distinct '0' as match_key, least(fresh.profile_no, other.profile_no) as join_key_l,
            greatest(fresh.profile_no, other.profile_no) as join_key_r
        from fresh join keys as other
            on fresh.key = other.key
            and (fresh.profile_no < other.profile_no or (not other.is_new and fresh.profile_no <> other.profile_no))
        """
    )
    return con.execute("select count(*) from pair").fetchone()[0]


def _linker(con: duckdb.DuckDBPyConnection, model: Model, frozen: Frozen, profiles: str):
    from splink import DuckDBAPI, Linker

    api = DuckDBAPI(con)
    linker = Linker(api.register(profiles), splink_settings(model, frozen), log_level=None, validate_settings=False)
    for column in () if frozen.is_stated else model.term_columns:
        # A value that training did not see is as rare as one that it saw once.
        con.execute(
            f"""
            create or replace temp table frequency_of_{column} as
            with seen as (select value, frequency, uses from term_frequency where term_column = {text(column)})
            select distinct {column}, coalesce(seen.frequency, (select min(frequency / uses) from seen), 1) as tf_{column}
            from {profiles} as profiles left join seen on seen.value = profiles.{column} where {column} is not null
            """
        )
        linker.table_management.register_term_frequency_lookup(api.register(f"frequency_of_{column}"), column)
    return linker, api


def train(con: duckdb.DuckDBPyConnection, model: Model, profiles: str, version: int) -> Frozen:
    """Learns m by expectation maximization and u by sampling, from profiles with traits; table `term_frequency` stands.

    With fewer profiles than the model asks for, the stated values are taken. Digits beyond the sixth are dropped, so
    that the order of sums in the engine does not show.
    """
    (count,) = con.execute(f"select count(*) from {profiles}").fetchone()
    start = stated(model, version, count)
    if count < model.said["smallest_training"]:
        return start
    from splink.internals.exceptions import EMTrainingException

    logging.getLogger("splink").setLevel(logging.ERROR)
    linker, api = _linker(con, model, replace(start, is_stated=False), profiles)
    limits = model.said["max_pairs"]
    linker.training.estimate_probability_two_random_records_match(
        model.said["deterministic"], recall=model.said["prior_recall"]
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=limits["u"], seed=1, min_count_per_level=None)
    for rule in model.said["training"]:
        # A rule teaches nothing where no pair meets it (calls alone have no birth dates), or where pairs without a
        # single error drive its share to nothing, which Splink refuses.
        with suppress(ValueError, EMTrainingException):
            linker.training.estimate_parameters_using_expectation_maximisation(rule, max_pairs=limits["em"])
    learned = linker.misc.save_model_to_json()
    api.delete_tables_created_by_splink_from_db()
    parameters = {}
    by_column = {c["output_column_name"]: c for c in learned["comparisons"]}
    for said in model.said["comparisons"]:
        column = said["column"]
        found = by_column.get(column, {"comparison_levels": []})
        parameters[column] = dict(start.parameters[column])
        fixed = {lv["name"] for lv in said["levels"] if lv.get("fixed")}
        if said.get("train", True):
            for level in found["comparison_levels"]:
                if not level.get("is_null_level") and level["label_for_charts"] not in fixed:
                    # never so rare that one pair of the kind settles everything
                    parameters[column][level["label_for_charts"]] = [
                        float(f"{max(level.get(p) or said_p, said_p / 50):.6g}")
                        for p, said_p in zip(
                            ("m_probability", "u_probability"),
                            start.parameters[column][level["label_for_charts"]],
                            strict=True,
                        )
                    ]
    prior = float(f"{learned['probability_two_random_records_match']:.6g}")
    return Frozen(version, model.digest, prior, count, False, parameters)


def score_pairs(con: duckdb.DuckDBPyConnection, model: Model, frozen: Frozen, profiles: str, into: str) -> None:
    """Makes table `into` (l, r, weight, is_exact): the pairs of table `pair` that count as one person.

    weight: log2 of the odds, rounded to 4 digits. A pair counts from the threshold on if more than its names agree, and
    never if the two cannot be one person.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    linker, api = _linker(con, model, frozen, profiles)
    linker.table_management.register_blocked_pairs_for_predict(api.register("pair"))
    found = linker.inference.predict(threshold_match_weight=model.said["threshold"] - 0.001, warning_mode="never")
    sides = ", ".join(
        f"{side}.{c} as {c}_{side}"
        for side in "lr"
        for c in (
            "first_name",
            "last_name",
            "suffix",
            "birth_date",
            "phone",
            "address",
            "person_number",
            "formal_name",
            "uses",
        )
    )
    con.execute(
        f"""
        create or replace temp table {into} as
        with scored as (
            select profile_no_l, profile_no_r, round(match_weight, 4) as weight from {found.physical_name}
        ),
        sides as (
            select scored.*, {sides} from scored
            join {profiles} as l on l.profile_no = profile_no_l join {profiles} as r on r.profile_no = profile_no_r
        )
        select profile_no_l as l, profile_no_r as r, weight, {model.exact_sql} as is_exact from sides
        where weight >= {model.said["threshold"]} and ({model.support_sql}) and not {model.apart_sql}
        """
    )
    api.delete_tables_created_by_splink_from_db()
