"""Why a film or a study was not assessed: a table that an auditor can read."""

from enum import Enum


class Reason(Enum):
    """(code, sentence, blocks).

    ``code`` is stable and goes to the API. ``blocks``: while one image of a study carries this reason, the study
    cannot be *not flagged*, however the other images scored. Only a lateral view does not block: tags are not proof of
    anything else, and an image that nobody looked at may be the one that matters. (An image certainly out of scope, by
    tags and image agreeing, does not block either.)
    """

    LATERAL_VIEW = ("lateral_view", "no frontal view, only lateral or oblique", False)
    NOT_A_CHEST_FILM = ("not_a_chest_film", "not a chest radiograph by its tags", True)
    NO_IMAGE = ("no_image", "no image in the object", True)
    PAEDIATRIC = ("paediatric", "patient below the intended age", True)
    NOT_GRAYSCALE = ("not_grayscale", "a colour image, not a radiograph as acquired", True)
    MULTI_FRAME = ("multi_frame", "several frames in one object", True)
    CANNOT_DECODE = ("cannot_decode", "pixel data cannot be decoded", True)
    NUMERIC = ("numeric", "pixel values give no usable image", True)
    POLARITY_CONFLICT = ("polarity_conflict", "polarity tag contradicts the pixels", True)
    NOT_UPRIGHT = ("not_upright", "the image is turned or upside down", True)
    CROPPED = ("cropped", "the image shows only a part of a chest film", True)
    DOUBTFUL_IMAGE = ("doubtful_image", "the image does not look like a frontal chest film", True)
    NO_MODEL = ("no_model", "no usable model is active", True)
    TIMED_OUT = ("timed_out", "assessment took too long", True)
    QUARANTINED = ("quarantined", "assessment failed repeatedly", True)
    MODEL_DISAGREES = ("model_disagrees_with_itself", "the network gave no consistent number", True)
    FILM_SET_ASIDE = ("film_set_aside", "a film of it was refused and set aside, and nobody has looked at it", True)
    FILM_DAMAGED = ("film_damaged", "a film of it is damaged or gone in the archive", True)
    IDENTITY_CONFLICT = ("identity_conflict", "another patient's film came under its study UID and was set aside", True)

    def __init__(self, code: str, sentence: str, blocks: bool) -> None:
        self.code = code
        self.sentence = sentence
        self.blocks = blocks

    @classmethod
    def from_code(cls, code: str) -> "Reason":
        """The reason of a stored code.

        Raises:
            ValueError: no such code.
        """
        for reason in cls:
            if reason.code == code:
                return reason
        raise ValueError(f"no reason has the code {code!r}")
