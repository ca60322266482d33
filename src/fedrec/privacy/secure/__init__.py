"""A secure sum: the server learns the sum of many clients' integers and nothing else about them.

Double masking over a random graph (Bonawitz et al., CCS 2017; Bell et al., CCS 2020) as state machines that take and
return bytes; docs/protocol.md has every field. Needs ``pip install 'fedrec[privacy]'`` when used.
"""

from fedrec.privacy.secure.client import SecureSumClient
from fedrec.privacy.secure.errors import MessageError, ProtocolError, Refused, RoundAborted
from fedrec.privacy.secure.keys import Identity
from fedrec.privacy.secure.policy import (
    DEMO,
    DEVICES,
    ORGANISATIONS,
    PROFILES,
    Expected,
    Plan,
    Profile,
    RoundMemory,
    plan_round,
)
from fedrec.privacy.secure.server import SecureSumServer

__all__ = [
    "DEMO",
    "DEVICES",
    "ORGANISATIONS",
    "PROFILES",
    "Expected",
    "Identity",
    "MessageError",
    "Plan",
    "Profile",
    "ProtocolError",
    "Refused",
    "RoundAborted",
    "RoundMemory",
    "SecureSumClient",
    "SecureSumServer",
    "plan_round",
]
