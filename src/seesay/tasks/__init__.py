"""Tasks, a file each: functions over arrays and an Encoder, without files or printing."""
