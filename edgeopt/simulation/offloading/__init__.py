"""Offloading over time: policies compared in the closed loop, an environment for agents, and training."""
