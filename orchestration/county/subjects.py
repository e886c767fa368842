"""Who a call is about and who calls, with repeat contacts that the programs change.

Each contact first has a person of its own. Then it may turn out to be brought about by one of the contacts of about
the 30 days before: a candidate is drawn, and with the chance ``repeat``, times the effect of the program that served
the candidate, the contact is of the candidate's person. On average each contact is a candidate once, so ``repeat``
is also the expected number of contacts that one contact brings about within 30 days.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from orchestration.county.draws import share
from orchestration.county.parameters import WHOLE, Parameters
from orchestration.county.people import familiar
from orchestration.county.period import Period
from orchestration.county.programs import PROGRAMS

CONTACTS_PER_CALL = 0.14  # only sets how many contacts the 30 days before hold


class Subjects:
    """Persons of the contacts so far; call ``assign`` block by block, in order."""

    def __init__(self, calls: int, dies: np.ndarray, period: Period, p: Parameters) -> None:
        self.dies, self.size = dies, len(dies)
        self.familiar = familiar(self.size, p)
        self.window = max(1, int(calls * CONTACTS_PER_CALL * 30 / period.days))
        self.often = p.below("familiar_contacts")
        self.self_called = p.below("caller_is_subject")
        ratios = [1.0] + [p[f"effect.{program.key}.repeat"] for program in PROGRAMS]
        self.follows = np.array([p.below("repeat", scale=ratio) for ratio in ratios], dtype=np.int64)
        self.recent = np.zeros(0, dtype=np.int32)  # persons and programs of the last contacts
        self.programs = np.zeros(0, dtype=np.int8)

    def assign(self, happened: pa.Table) -> dict[str, np.ndarray]:
        """Subject and caller of each call, in the order of i."""
        names = ("s", "is_contact", "bh", "program", "u_subject", "u_caller", "u_callers", "u_near", "u_follow")
        at = {name: happened[name].to_numpy() for name in names}
        subject = self._living(self._own(at["u_subject"].astype(np.int64)), at["s"])
        met = np.flatnonzero(at["is_contact"])
        subject[met] = self._follow({name: values[met] for name, values in at.items()}, subject[met])
        subject[met] = self._living(subject[met], at["s"][met])
        caller = self._living(share(at["u_caller"], self.size), at["s"])
        caller = np.where(at["bh"] & (at["u_callers"] < self.self_called), subject, caller)
        return {"subject": subject, "caller": caller}

    def _own(self, u: np.ndarray) -> np.ndarray:
        """A person by one draw: the familiar ones more often."""
        often = u * self.familiar // max(self.often, 1)
        return np.where(u < self.often, often, (u - self.often) * self.size // (WHOLE - self.often))

    def _living(self, persons: np.ndarray, s: np.ndarray) -> np.ndarray:
        """The person, or the next one who is alive then."""
        while (dead := self.dies[persons] <= s).any():
            persons = np.where(dead, (persons + 1) % self.size, persons)
        return persons

    def _follow(self, at: dict[str, np.ndarray], own: np.ndarray) -> np.ndarray:
        """Persons of the contacts."""
        known, n = len(self.recent), len(own)
        near = at["u_near"].astype(np.uint64)
        back = 1 + share((near * near >> np.uint64(32)).astype(np.int64), self.window)
        place = known + np.arange(n)
        candidate = place - back
        program = np.concatenate([self.programs, at["program"].astype(np.int8)])
        joined = (candidate >= 0) & (at["u_follow"] < self.follows[program[np.maximum(candidate, 0)]])
        root = np.where(joined, candidate, place)
        root = np.concatenate([np.arange(known), root])
        while not np.array_equal(further := root[root], root):
            root = further
        persons = np.concatenate([self.recent, own])[root].astype(np.int64)
        self.recent = persons[-self.window - 1 :].astype(np.int32)
        self.programs = program[-self.window - 1 :]
        return persons[known:]
