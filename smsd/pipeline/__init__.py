"""How one message moves from the spool to the gateway and back, in time that is given."""
