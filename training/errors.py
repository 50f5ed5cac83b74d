"""What a training command tells its user when it stops: what, where, remedy, in one line."""


class TrainingError(Exception):
    """The work cannot go on; the message is meant for the person at the keyboard."""
