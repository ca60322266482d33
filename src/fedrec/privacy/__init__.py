"""What happens to an update before it is added: clip, quantise; later noise and masks."""

from fedrec.privacy.pipeline import RingSum

__all__ = ["RingSum"]
