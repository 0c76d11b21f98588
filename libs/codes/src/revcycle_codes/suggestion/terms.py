"""Words of a note or of the code set, brought to one form."""

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Za-z0-9]+(?:'[a-z]+)?")
_STAGE = re.compile(r"\bckd-?(\d[ab]?)\b")
_STAGED = r"ckd stage \1"
_SUFFIXES = (
    ("ies", "y"),
    ("sses", "ss"),
    ("itides", "itis"),
    ("oses", "osis"),
    ("eses", "esis"),
    ("es", "e"),
    ("s", ""),
)
_KEEP_S = ("ss", "us", "is", "as", "os")
_SHORT = 3

# Abbreviations and lay words, each with the words of the code set.
_WORDS = {
    "htn": "hypertension",
    "dmii": "diabetes mellitus type 2",
    "dm1": "diabetes mellitus type 1",
    "iddm": "diabetes mellitus type 1",
    "niddm": "diabetes mellitus type 2",
    "hfpef": "preserved ejection fraction heart failure",
    "hfref": "reduced ejection fraction heart failure",
    "hf": "heart failure",
    "pad": "peripheral arterial disease",
    "pvd": "peripheral vascular disease",
    "pafib": "paroxysmal atrial fibrillation",
    "af": "atrial fibrillation",
    "svt": "supraventricular tachycardia",
    "pvc": "premature ventricular contractions",
    "pvcs": "premature ventricular contractions",
    "lvh": "left ventricular hypertrophy",
    "aaa": "abdominal aortic aneurysm",
    "aki": "acute kidney injury",
    "bppv": "benign positional vertigo",
    "mdd": "major depression",
    "gad": "generalized anxiety disorder",
    "ocd": "obsessive compulsive disorder",
    "oud": "opioid use disorder",
    "aud": "alcohol use disorder",
    "ibd": "inflammatory bowel disease",
    "gi": "gastrointestinal",
    "lbp": "low back pain",
    "ddd": "degenerative disc disease",
    "djd": "degenerative joint disease",
    "pcl": "posterior cruciate ligament",
    "tmj": "temporomandibular joint",
    "sob": "shortness breath",
    "doe": "dyspnea exertion",
    "nash": "nonalcoholic steatohepatitis",
    "nafld": "nonalcoholic fatty liver disease",
    "hcv": "hepatitis c",
    "hbv": "hepatitis b",
    "hsv": "herpes simplex",
    "bcc": "basal cell carcinoma",
    "dcis": "ductal carcinoma in situ",
    "mgus": "monoclonal gammopathy",
    "cll": "chronic lymphocytic leukemia",
    "luts": "lower urinary tract symptoms",
    "fx": "fracture",
    "gerds": "gastroesophageal reflux disease",
    "gord": "gastroesophageal reflux disease",
    "r": "right",
    "l": "left",
    "rt": "right",
    "lt": "left",
    "bilat": "bilateral",
    "b12": "b12",
    "xray": "x ray",
    "lft": "liver function test",
    "lfts": "liver function test",
    "calculus": "stone",
    "calculi": "stone",
    "bruise": "contusion",
    "bruising": "contusion",
    "tendonitis": "tendinitis",
    "anaemia": "anemia",
    "oesophagitis": "esophagitis",
    "diarrhoea": "diarrhea",
    "oedema": "edema",
    "tumour": "neoplasm",
    "hypercholesterolaemia": "hypercholesterolemia",
    "hyperlipidaemia": "hyperlipidemia",
    "hypertensive": "hypertension",
    "dm": "diabetes mellitus",
    "dm2": "diabetes mellitus type 2",
    "t2dm": "diabetes mellitus type 2",
    "t1dm": "diabetes mellitus type 1",
    "ii": "2",
    "chf": "congestive heart failure",
    "cad": "coronary artery disease",
    "ckd": "chronic kidney disease",
    "copd": "chronic obstructive pulmonary disease",
    "gerd": "gastroesophageal reflux disease",
    "uti": "urinary tract infection",
    "uri": "upper respiratory infection",
    "osa": "obstructive sleep apnea",
    "afib": "atrial fibrillation",
    "bph": "benign prostatic hyperplasia",
    "hld": "hyperlipidemia",
    "pcos": "polycystic ovarian syndrome",
    "ibs": "irritable bowel syndrome",
    "ra": "rheumatoid arthritis",
    "oa": "osteoarthritis",
    "mi": "myocardial infarction",
    "cva": "stroke",
    "tia": "transient ischemic attack",
    "pe": "pulmonary embolism",
    "dvt": "deep vein thrombosis",
    "acl": "anterior cruciate ligament",
    "mcl": "medial collateral ligament",
    "lcl": "lateral collateral ligament",
    "esrd": "end stage renal disease",
    "adhd": "attention deficit hyperactivity disorder",
    "gout": "gout",
    "tobacco": "nicotine",
    "smoker": "nicotine dependence cigarettes",
    "smoking": "nicotine dependence cigarettes",
    "belly": "abdominal",
    "stomach": "abdominal",
    "heartburn": "heartburn",
    "broken": "fracture",
    "fractured": "fracture",
    "sprained": "sprain",
    "strained": "strain",
    "kidney": "kidney",
    "renal": "kidney",
    "cancer": "malignant neoplasm",
    "carcinoma": "malignant neoplasm",
    "tumor": "neoplasm",
    "breathlessness": "shortness breath",
    "dyspnea": "shortness breath",
    "depressive": "depression",
    "anxious": "anxiety",
    "arthritic": "arthritis",
    "diabetic": "diabetes",
    "elevated": "elevated",
    "high": "elevated",
    "raised": "elevated",
    "lumbar": "lumbar",
}
_STOP_WORDS = (
    "a an and are as at be by for from had has have he her his in into is it its of on or patient she that the their"
    " this to was were which who with your our we i today new newly found"
    " diagnosed diagnosis known onset due status post s"
)
_STOP = frozenset(_STOP_WORDS.split())
_LIGHT_WORDS = (
    "unspecified other nos nec not elsewhere classified specified site part without encounter initial mention"
    " acute chronic mild moderate severe right left bilateral stable improving worsening recurrent persistent"
    " intermittent ongoing longstanding well poorly uncontrolled controlled history follow up followup disease disorder"
    " syndrome condition"
    " essential primary type"
)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A lower-case word without its plural ending."""
    if len(word) <= _SHORT or word.endswith(_KEEP_S):
        return word
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix):
            return word[: -len(suffix)] + instead
    return word


# Words that tell little by themselves: they count a quarter and never find a phrase alone.
LIGHT = frozenset(stem(word) for word in _LIGHT_WORDS.split())


def words(text: str) -> list[str]:
    """Stems in order, abbreviations written out, stop words left out."""
    found: list[str] = []
    for match in _WORD.findall(_STAGE.sub(_STAGED, text.lower())):
        word = match.removesuffix("'s")
        if word in _STOP:
            continue
        known = _WORDS.get(word)
        found.extend(stem(part) for part in (known or word).split())
    return found


def spans(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Stems of a stretch of text with their characters; a written-out abbreviation keeps the abbreviation's place."""
    found: list[tuple[str, int, int]] = []
    for match in _WORD.finditer(text, start, end):
        word = match[0].lower().removesuffix("'s")
        if word not in _STOP:
            known = _WORDS.get(word)
            found.extend((stem(part), match.start(), match.end()) for part in (known or word).split())
    return found
