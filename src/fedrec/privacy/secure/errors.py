"""What goes wrong in a secure sum, told apart by what the receiver does about it."""

from __future__ import annotations

from fedrec.contract import FedrecError


class ProtocolError(FedrecError):
    """Base of what the secure sum raises; ``code`` names the rule in one or two words."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"secure sum: {text}")
        self.code = code


class MessageError(ProtocolError):
    """Bytes that are not a message for this receiver at this stage: ignored, its state is as before."""


class Refused(ProtocolError):
    """The server broke a rule that protects the client: it forgets the round's secrets and takes no further part."""


class RoundAborted(ProtocolError):
    """The server cannot finish the round: nothing is unmasked."""
