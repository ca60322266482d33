"""A secure sum: the server learns the sum of many clients' integers and nothing else about them.

Double masking over a random graph (Bonawitz et al., CCS 2017; Bell et al., CCS 2020) as state machines that take and
return bytes; docs/protocol.md has every field. Needs ``pip install 'fedrec[privacy]'`` when used.
"""

from fedrec.privacy.secure.client import SecureSumClient
from fedrec.privacy.secure.errors import MessageError, ProtocolError, Refused, RoundAborted
from fedrec.privacy.secure.keys import Identity
from fedrec.privacy.secure.policy import DEMO as DEMO
from fedrec.privacy.secure.policy import DEVICES as DEVICES
from fedrec.privacy.secure.policy import ORGANISATIONS as ORGANISATIONS
from fedrec.privacy.secure.policy import PROFILES as PROFILES
from fedrec.privacy.secure.policy import Expected, Plan, Profile, RoundMemory, plan_round
from fedrec.privacy.secure.server import SecureSumServer

__all__ = [
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
