"""The program on a device: it checks again, executes, and answers."""
