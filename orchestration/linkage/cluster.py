"""Groups of profiles that are one person: connected components, cut where a group holds two who cannot be one.

A group is a function of the profiles and edges that hang together, and of nothing else. So a run that works on the
touched components alone gives the same groups as a run over all.
"""

from __future__ import annotations

import duckdb

from orchestration.linkage.model import Model


def reach(con: duckdb.DuckDBPyConnection, edges: str, start: str, into: str) -> None:
    """Makes table `into` (profile_no): the profiles of `start` and all that edges (l, r) lead to from them."""
    con.execute(f"create or replace temp table {into} as select distinct profile_no from {start}")
    con.execute(f"create or replace temp table frontier as select profile_no from {into}")
    while con.execute("select count(*) from frontier").fetchone()[0]:
        con.execute(
            f"""
            create or replace temp table frontier as
            with next_to as (
                select r as profile_no from {edges} semi join frontier on l = profile_no
                union
                select l as profile_no from {edges} semi join frontier on r = profile_no
            )
            select profile_no from next_to anti join {into} using (profile_no)
            """
        )
        con.execute(f"insert into {into} select profile_no from frontier")


def components(con: duckdb.DuckDBPyConnection, nodes: str, edges: str, into: str) -> None:
    """Makes table `into` (profile_no, group_no): the connected components of nodes (profile_no) and edges (l, r)."""
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    con.execute(f"create or replace temp table component_node as select profile_no from {nodes}")
    api = DuckDBAPI(con)
    found = cluster_pairwise_predictions_at_threshold(
        api.register("component_node"),
        api.register(edges),
        api,
        node_id_column_name="profile_no",
        edge_id_column_name_left="l",
        edge_id_column_name_right="r",
    )
    con.execute(
        f"create or replace temp table {into} as select profile_no, cluster_id as group_no from {found.physical_name}"
    )
    api.delete_tables_created_by_splink_from_db()


def _conflicts(con: duckdb.DuckDBPyConnection, model: Model, profiles: str, groups: str, into: str) -> int:
    """Makes table `into` (group_no): the groups that hold two people; returns their number.

    Two values that cannot be of one person are still forgiven where others of the group lie between them: MIKE and MCHAEL
    are both near MICHAEL, and two mistyped birth dates both near the right one. Initials lie between nothing.
    """
    columns = ("first_name", "last_name", "suffix", "birth_date", "person_number", "formal_name", "uses")
    left, right = (", ".join(f"member.{c} as {c}_{side}" for c in columns) for side in "lr")
    con.execute(
        f"""
        create or replace temp table within as
        with member as (
            select group_no, profiles.* from {groups} join {profiles} as profiles using (profile_no)
            where group_no in (select group_no from {groups} group by group_no having count(*) > 1)
        ),
        l as (select group_no, profile_no as l, {left} from member),
        r as (select group_no, profile_no as r, {right} from member),
        pairs as (
            select * , {model.apart_sql} as is_apart,
                coalesce(person_number_l = person_number_r, false) as is_same_number
            from l join r using (group_no) where l < r
        )
        select * from pairs where group_no in (select group_no from pairs where is_apart)
        """
    )
    con.execute(f"create or replace temp table {into} (group_no bigint)")
    for column, is_apart in model.apart_rules.items():
        known = f"{column}_l is not null and {column}_r is not null"
        if column == "first_name":
            known += " and length(first_name_l) > 1 and length(first_name_r) > 1"
        con.execute(
            f"create or replace temp table told as select group_no, l, r, {is_apart} and not is_same_number as is_apart"
            f" from within where {known}"
        )
        con.execute(
            "create or replace temp table told_node as"
            " select group_no, l as profile_no from told union select group_no, r from told"
        )
        con.execute("create or replace temp table told_edge as select l, r from told where not is_apart")
        if con.execute("select count(*) from told_node").fetchone()[0]:
            components(con, "told_node", "told_edge", "told_part")
            con.execute(
                f"insert into {into} select told_node.group_no from told_node join told_part using (profile_no)"
                " group by told_node.group_no having count(distinct told_part.group_no) > 1"
            )
    con.execute(f"create or replace temp table {into} as select distinct group_no from {into}")
    return con.execute(f"select count(*) from {into}").fetchone()[0]


def group(
    con: duckdb.DuckDBPyConnection, model: Model, profiles: str, nodes: str, edges: str, into: str
) -> tuple[int, int]:
    """Makes table `into` (profile_no, group_no) of the nodes; returns (groups with a conflict, profiles left alone).

    Where a component holds two profiles who cannot be one, its threshold goes up step by step until it holds them no
    longer. What is still in conflict at the last step is taken apart into single profiles.
    """
    components(con, nodes, edges, "open_group")
    con.execute(f"create or replace temp table {into} (profile_no bigint, group_no bigint)")
    first, threshold = None, model.said["threshold"]
    while True:
        in_conflict = _conflicts(con, model, profiles, "open_group", "conflict")
        first = in_conflict if first is None else first
        con.execute(
            f"insert into {into} select profile_no, group_no from open_group anti join conflict using (group_no)"
        )
        con.execute(
            "create or replace temp table open_node as select profile_no from open_group semi join conflict using (group_no)"
        )
        threshold += model.said["raise_by"]
        if not in_conflict or threshold > model.said["raise_to"]:
            break
        con.execute(
            f"create or replace temp table open_edge as select l, r from {edges}"
            f" semi join open_node on l = profile_no where weight >= {threshold}"
        )
        components(con, "open_node", "open_edge", "open_group")
    con.execute(f"insert into {into} select profile_no, profile_no from open_node")
    (alone,) = con.execute("select count(*) from open_node").fetchone()
    return first, alone
