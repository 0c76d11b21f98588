"""Parts of the body as stems, and the wider regions in which the code set counts them."""

# The wider region in which the code set counts a part of the body.
REGIONS = {
    "cheek": ("face",), "forehead": ("face",), "chin": ("face",), "temple": ("face",), "jaw": ("face",),
    "scalp": ("neck",), "neck": ("scalp",), "back": ("trunk", "wall"), "chest": ("trunk", "wall"),
    "abdomen": ("trunk",), "abdominal": ("trunk", "wall"), "flank": ("trunk",), "torso": ("trunk",),
    "thigh": ("leg",), "calf": ("leg",), "shin": ("leg",), "knee": ("leg",), "ankle": ("leg", "foot"),
    "foot": ("leg", "ankle"), "forearm": ("arm",), "elbow": ("arm",), "wrist": ("arm", "hand"),
    "hand": ("arm", "wrist"), "shoulder": ("arm",), "hip": ("leg",), "nostril": ("nose",), "ala": ("nose",),
    "coccyx": ("sacrum", "coccygeal"), "sacrum": ("coccygeal",),
}  # fmt: skip
_FURTHER = (
    "face nose lip ear eyelid axilla groin buttock finger toe thumb heel arm leg lumbar cervical thoracic lumbosacral"
    " pelvis scrotum penis breast tibia fibula femur humerus radius ulna umbilicus"
    " cecum ascending transverse descending sigmoid"
)
SITE_WORDS = frozenset(REGIONS).union(_FURTHER.split(), *REGIONS.values())
