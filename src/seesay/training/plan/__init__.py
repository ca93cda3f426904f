"""What a training run would take, before it is started: computation, days, machines, storage and network."""
