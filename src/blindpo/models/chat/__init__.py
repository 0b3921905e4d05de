"""Text models behind one interface: OpenAI-compatible servers, a local VLM, recorded replies."""
