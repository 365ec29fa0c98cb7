"""Reward models that vLLM or SGLang serve, called over HTTP.

Proven against the wire formats that these projects document, not against running servers:

- vLLM `/classify`, https://docs.vllm.ai/en/stable/models/pooling_models/classify/ and the protocol
  pages of v0.13.0, v0.15.0 and v0.16.0, such as
  https://docs.vllm.ai/en/v0.16.0/api/vllm/entrypoints/pooling/classify/protocol/.
- SGLang `/classify`, https://docs.sglang.io/basic_usage/native_api.html, as of March 2026.
"""

from reference_impl.critic.endpoints.sglang import SGLangCritic
from reference_impl.critic.endpoints.vllm import VLLMCritic

__all__ = ["SGLangCritic", "VLLMCritic"]
