"""The library behind *From Autoencoders to VAEs*: small, one concept a file.

Every log-density, divergence and bound is returned per example, shape ``[B]``, in nats.
The caller averages. Imports run one way: ``data``, ``distributions`` -> ``models`` ->
``bounds``, ``exact`` -> ``checkpoints`` -> ``training`` -> ``evaluation`` -> ``checks``;
``figures`` and ``widgets`` import none of these.
"""

__version__ = "0.1.0"
