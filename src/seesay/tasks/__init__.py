"""Tasks in a shared space: functions over arrays and an Encoder, without files or printing."""
