"""What the tests share: the simulator, its world, the clients, and the check of every answer."""
