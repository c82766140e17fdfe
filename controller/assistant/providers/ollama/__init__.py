"""The provider `ollama:<model>`: adapter, its HTTP door, and the two message shapes."""

from controller.assistant.providers.ollama.adapter import DEFAULT_HOST, Limits, Ollama, OllamaConfig

__all__ = ["DEFAULT_HOST", "Limits", "Ollama", "OllamaConfig"]
