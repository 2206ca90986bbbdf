"""What propagates vectors over a graph: PinSage and LightGCN."""
