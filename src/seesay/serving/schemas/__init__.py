"""Pydantic models of requests and answers, from which /openapi.json is made."""
