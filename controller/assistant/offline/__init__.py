"""The offline planner: sentences become tool calls without a language model.

It serves when no model is configured or none answers, and as the fast path before one.
"""

from controller.assistant.offline.plan import READ_ONLY, Again, Calls, Declined, Plan, PlannedCall, Question
from controller.assistant.offline.planner import Planner

__all__ = ["READ_ONLY", "Again", "Calls", "Declined", "Plan", "PlannedCall", "Planner", "Question"]
