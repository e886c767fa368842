"""The rates of the truth that a release can tell, one line each: a share of rows among others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import duckdb

from orchestration.county.calls import TYPES
from orchestration.county.compare.figure import Compared, Truth, share
from orchestration.county.compare.seen import AGENCY
from orchestration.county.programs import BY_KEY


@dataclass(frozen=True)
class Rate:
    """A share in a table of ``seen``: of the rows `among`, those of which `holds`.

    of: what of the truth it compares. true: the share itself; by default the parameter that `of` names first.
    counted: where the truth counts the same calls, what holds in it and among which.
    """

    name: str
    of: tuple[str, ...]
    table: str
    holds: str
    among: str = "true"
    true: Callable[[Truth], float] | None = None
    counted: tuple[str, str] | None = None

    def compared(self, truth: Truth, events: int, rows: int) -> Compared:
        true = (
            self.true(truth) if self.true else _among(truth, *self.counted) if self.counted else truth.rates[self.of[0]]
        )
        return share("rate", self.name, true, events, rows, self.of, is_counted=self.counted is not None)


def _among(truth: Truth, holds: str, among: str) -> float:
    """The share among the county's calls."""
    return truth.one(f"select avg(cast({holds} as integer)) from call where {among}")


def _part(name: str) -> Callable[[Truth], float]:
    """The share among all that a number for each other makes: x to 1 is x / (1 + x)."""
    return lambda t: t.rates[name] / (1 + t.rates[name])


def _other_type(t: Truth) -> float:
    """A drawn type differs from that at open but by chance; both weights are those of call_types.csv."""
    by = {column: [int(row[column]) for row in TYPES.values()] for column in ("weight_on_view", "weight_other")}
    same = sum(a * b for a, b in zip(*by.values(), strict=True))
    return t.rates["type_change"] * (1 - same / sum(by["weight_on_view"]) / sum(by["weight_other"]))


def _substance_provider(t: Truth) -> float:
    """Twice the share for matters of substance use, half of it for others."""
    kinds = {name: value for name, value in t.rates.items() if name.startswith("mix.kind.")}
    part, base = kinds["mix.kind.substance"] / sum(kinds.values()), t.rates["sud_provider"]
    return part * min(1, 2 * base) + (1 - part) * base / 2


_BY_PHONE = "not is_cancelled and not is_attended"
_MET = "scene_seconds is not null"  # in the truth: somebody went there
_DAY, _EVENING, _NIGHT = "hour between 7 and 14", "hour between 15 and 22", "(hour < 7 or hour = 23)"
_CALMED = "technique_codes not in ('none', 'unknown', 'not_recorded')"
_UNTRAINED = "is_patrol and not in_wave"
RATES = (
    # Calls. On-view calls are never cancelled or closed by telephone, so nothing is lost of them.
    Rate("duplicate calls", ("duplicate", "call.is_duplicate"), "call", "is_duplicate", "true", counted=("is_duplicate", "true")),
    Rate("duplicates merged after a unit was sent", ("merged",), "call", "close_code = 'MRG'", "is_duplicate"),
    Rate("calls cancelled", ("cancelled", "call.is_cancelled"), "call", "is_cancelled", "not is_duplicate and not is_self_initiated"),
    Rate("cancelled calls with a unit", ("cancelled_after_dispatch",), "call", "units > 0", "is_cancelled"),
    Rate("low-priority calls closed by telephone", ("phone",), "call", _BY_PHONE, "not is_duplicate and not is_self_initiated and priority >= 4"),
    Rate("calls closed by telephone handed to 988", ("to_988",), "call", "transferred_to_988 = 'yes'", f"not is_duplicate and {_BY_PHONE}",
         lambda t: t.rates["to_988"] * _among(t, "is_bh", f"not is_duplicate and not is_cancelled and not ({_MET})")),
    Rate("calls opened again", ("reopened",), "call", "reopened = 'yes'", "not is_duplicate and not is_cancelled"),
    Rate("behavioral health among on-view calls", ("bh_on_view", "call.is_bh"), "call", "has_form", "is_self_initiated"),
    Rate("behavioral health among calls attended", ("bh_community", "call.is_contact"), "call", "has_form", "is_attended and not is_self_initiated",
         counted=("is_contact", f"{_MET} and true_caller is not null")),
    Rate("explicit type at open, on-view, behavioral health", ("bh_type_at_open",), "call", "bh_open = 'yes'", "is_self_initiated and has_form"),
    Rate("explicit type at open, on-view, other matter", ("bh_type_false",), "call", "bh_open = 'yes'", "is_self_initiated and not has_form"),
    Rate("explicit type changed at close", ("bh_downgrade", "type_change"), "contact", "has_other_type", "bh_open = 'yes'",
         lambda t: t.rates["bh_downgrade"] + (1 - t.rates["bh_downgrade"]) * t.rates["type_change"]),
    Rate("type changed at close, on-view, other matter", ("type_change",), "call", "has_other_type",
         "is_self_initiated and not has_form and bh_open = 'no'", _other_type),
    Rate("priority changed at close", ("priority_change",), "call", "has_other_priority", "true", lambda t: 0.8 * t.rates["priority_change"]),  # one in five is drawn as it was
    # Units.
    Rate("CIT officer first, day", ("cit_day",), "call", "is_cit", f"{_UNTRAINED} and {_DAY}"),
    Rate("CIT officer first, evening", ("cit_evening",), "call", "is_cit", f"{_UNTRAINED} and {_EVENING}"),
    Rate("CIT officer first, night", ("cit_night",), "call", "is_cit", f"{_UNTRAINED} and {_NIGHT}"),
    Rate("CIT officer first, evening, after the wave", ("cit_wave",), "call", "is_cit", f"is_patrol and in_wave and {_EVENING}",
         lambda t: t.rates["cit_evening"] + t.rates["cit_wave"]),
    Rate("mobile crisis team without police", ("mct_alone",), "call", "units = 1", "program = 'mct'"),
    *(Rate(f"calls that {key} served", (*([] if key == "cit" else [f"served.{key}"]), "call.program"), "call", f"program = '{key}'",
           "not is_duplicate", counted=(f"coalesce(program = '{key}', false)", "not is_duplicate")) for key in BY_KEY),
    # Contacts.
    Rate("visits without a call, of all forms", ("outreach",), "form", "is_without_call", "true", _part("outreach")),
    Rate("a weapon was told or found", ("weapon", "call.has_weapon"), "contact", "weapon_present = 'yes'", "true",
         lambda t: t.rates["weapon"] + (1 - t.rates["weapon"]) / 50),  # one in 50 is found only there
    Rate("technique of calming, no trained one there", ("technique", "contact_incident.techniques"), "contact", _CALMED,
         "is_untrained_there and not is_nothing_done"),
    Rate("technique of calming, a trained one there", ("technique_trained",), "contact", _CALMED, "is_trained_there and not is_nothing_done"),
    Rate("technique not known", ("technique_dk",), "contact", "technique_codes = 'unknown'", "not is_nothing_done"),
    Rate("restraint", ("restraint", "contact_incident.restrained"), "form", "restraint_used = 'yes'"),
    Rate("restraint left blank", ("restraint_blank",), "form", "restraint_used = 'not_recorded'"),
    Rate("emergency department due, and not taken there", ("ed_indicated", "contact_incident.ed_indicated"), "contact",
         "ed_transport_indicated = 'yes'", "ending not in ('ed', 'hold')"),
    Rate("emergency department due not known", ("ed_indicated_dk",), "contact", "ed_transport_indicated = 'unknown'", "ending not in ('ed', 'hold')"),
    Rate("drop-offs that the crisis center turns away", ("refused_drop_off",), "trip", "is_refused", "is_to_center"),
    Rate("force", ("force", "contact_incident.force_used"), "contact", "force_used = 'yes'"),
    Rate("injury where force was used", ("force_injury", "injury", "contact_incident.injured"), "contact", "injury = 'yes'", "force_used = 'yes'",
         lambda t: t.rates["force_injury"] + t.rates["injury"]),
    Rate("injury without force", ("injury",), "contact", "injury = 'yes'", "force_used <> 'yes'"),
    Rate("arrestable, of those not arrested", ("arrestable",), "contact", "arrestable_offense = 'yes'", "ending <> 'arrest'"),
    Rate("arrestable not known", ("arrestable_dk",), "contact", "arrestable_offense = 'unknown'", "ending <> 'arrest'"),
    Rate("arrestable left blank", ("arrestable_blank",), "contact", "arrestable_offense = 'not_recorded'", "ending <> 'arrest'"),
    Rate("second disposition, arrest or hospital", ("second_disposition",), "contact", "disposition_count > 1", "ending in ('arrest', 'ed')"),
    Rate("veterans, of persons met", ("veteran",), "met", "is_veteran"),
    Rate("who called is who was met", ("caller_is_subject", "call.true_caller"), "called", "caller_key = person_key"),
    # Jail, hospital, treatment.
    Rate("bookings without a call of the county", ("booking_elsewhere",), "booking", "is_elsewhere", "true", _part("booking_elsewhere")),
    Rate("ED visits that no call brought", ("ed_walk_in",), "visit", "is_walk_in", "true", _part("ed_walk_in")),
    Rate("admitted after a hold", ("admitted_hold",), "visit", "is_admitted", "is_hold"),
    Rate("admitted without a hold", ("admitted_ed",), "visit", "is_admitted", "not is_hold"),
    Rate("referrals accepted", ("referral_accepted",), "referral", "is_accepted"),
    Rate("first visit kept in 30 days", ("linked",), "referral", "coalesce(is_in_time, false)", "is_accepted and days_known > 30"),
    Rate("first visit kept later", ("linked_late",), "referral", "is_kept and not is_in_time", "is_accepted and days_known > 90"),
    Rate("second visit kept", ("second_service",), "referral", "services > 1", "is_kept and days_since_kept > 30"),
    Rate("enrolled after a first visit", ("enrolled",), "referral", "is_enrolled", "is_kept"),
    Rate("referrals to substance use treatment", ("sud_provider",), "referral", "is_sud", "true", _substance_provider),
)  # fmt: skip


def rates(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Every line of RATES, and how long calls waited."""
    seen.execute(f"""
        create or replace temp table call as
        select call.*, coalesce(sector = 'B' and received_local_at >= wave, false) as in_wave from call, (
            select max(start_date) as wave from internal.fct_program
            where agency_id = '{AGENCY}' and program_number = '{BY_KEY["cit"].number}') as started
    """)
    found = {}
    for table, lines in groupby(sorted(RATES, key=lambda r: r.table), key=lambda r: r.table):
        lines = list(lines)
        counts = ", ".join(
            f"count(*) filter (where ({r.among}) and {r.holds}), count(*) filter (where {r.among})" for r in lines
        )
        told = seen.execute(f"select {counts} from {table}").fetchone()
        for line, events, rows in zip(lines, told[::2], told[1::2], strict=True):
            found[line.name] = line.compared(truth, events, rows)
    return [*(found[line.name] for line in RATES), _waited(seen, truth)]


def _waited(seen: duckdb.DuckDBPyConnection, truth: Truth) -> Compared:
    mean, n = seen.execute("select avg(held_seconds), count(held_seconds) from call").fetchone()
    true = truth.one("select avg(waited_seconds) from call")
    return Compared("rate", "wait for a unit", "seconds", true, mean, None, n, ("call.waited_seconds",))
