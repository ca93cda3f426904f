"""What people do with a shared space: functions over arrays and an Encoder, without files or printing."""
