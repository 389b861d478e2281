"""The two ways in which work ends early: the input is unusable, or the user stopped it."""


class InputError(ValueError):
    """The input or an option is unusable; the message is one sentence that says what to do."""


class Cancelled(BaseException):
    """The user stopped the work; no ``except Exception`` on the way swallows it."""
