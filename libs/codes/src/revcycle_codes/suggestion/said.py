"""More exact codes that a problem's own words ask for: its site, severity, kind or complication."""

import re
from collections.abc import Mapping

# Found code, site word, code without a side, codes by side. The first that fits wins; codes in key form.
_ANY = r""
_LEG = r"\b(legs?|thighs?|calf|calves|shins?|knees?|ankles?|foot|feet|lower (extremity|extremities|limbs?))\b"
_ARM = r"\b(arms?|forearms?|elbows?|wrists?|hands?|upper (extremity|extremities|limbs?))\b"


def _sites(
    *rows: tuple[str, str, str, Mapping[str, str]],
) -> tuple[tuple[str, re.Pattern[str], str, Mapping[str, str]], ...]:
    return tuple((key, re.compile(site, re.IGNORECASE), plain, by_side) for key, site, plain, by_side in rows)


# fmt: off
_SITES = _sites(
    ("H905", _ANY, "H905", {"right": "H9041", "left": "H9042", "bilateral": "H903"}),
    ("H902", _ANY, "H902", {"right": "H9011", "left": "H9012", "bilateral": "H900"}),
    ("K4090", _ANY, "K4090", {"bilateral": "K4020"}),
    ("M189", _ANY, "M189", {"right": "M1811", "left": "M1812", "bilateral": "M180"}),
    ("M1992", r"\bknees?\b", "M179", {"right": "M1731", "left": "M1732", "bilateral": "M172"}),
    ("M1992", r"\bhips?\b", "M169", {"right": "M1651", "left": "M1652", "bilateral": "M164"}),
    ("S62339A", _ANY, "S62339A", {"right": "S62336A", "left": "S62337A"}),
    # Arthritis without a kind, at a joint: osteoarthritis of it.
    ("M179", _ANY, "M179", {"right": "M1711", "left": "M1712", "bilateral": "M170"}),
    ("M169", _ANY, "M169", {"right": "M1611", "left": "M1612", "bilateral": "M160"}),
    ("M1990", r"\bknees?\b", "M179", {"right": "M1711", "left": "M1712", "bilateral": "M170"}),
    ("M1990", r"\bhips?\b", "M169", {"right": "M1611", "left": "M1612", "bilateral": "M160"}),
    ("M1990", r"\bshoulders?\b", "M19019", {"right": "M19011", "left": "M19012"}),
    ("M1990", r"\b(hands?|fingers?)\b", "M19049", {"right": "M19041", "left": "M19042"}),
    ("M1990", r"\b(ankle|foot|feet)\b", "M19079", {"right": "M19071", "left": "M19072"}),
    ("L0390", r"\b(face|cheek|facial)\b", "L03211", {}),
    ("L0390", r"\btoes?\b", "L03039", {"right": "L03031", "left": "L03032"}),
    ("L0390", r"\b(fingers?|thumb)\b", "L03019", {"right": "L03011", "left": "L03012"}),
    ("L0390", _LEG, "L03119", {"right": "L03115", "left": "L03116"}),
    ("L0390", _ARM, "L03119", {"right": "L03113", "left": "L03114"}),
    ("L0390", r"\b(abdomen|abdominal wall)\b", "L03311", {}),
    ("L0390", r"\bback\b", "L03312", {}),
    ("L0390", r"\bgroin\b", "L03314", {}),
    ("L0390", r"\bbuttocks?\b", "L03317", {}),
    ("L0291", r"\bbuttocks?\b", "L0231", {}),
    ("L0291", r"\b(face|cheek|facial)\b", "L0201", {}),
    ("L0291", r"\bneck\b", "L0211", {}),
    ("L0291", r"\b(axilla|axillary|armpit)\b", "L02419", {"right": "L02411", "left": "L02412"}),
    ("L0291", r"\bhands?\b", "L02519", {"right": "L02511", "left": "L02512"}),
    ("L0291", r"\b(foot|feet)\b", "L02619", {"right": "L02611", "left": "L02612"}),
    ("L0291", _LEG, "L02419", {"right": "L02415", "left": "L02416"}),
    ("L0291", _ARM, "L02419", {"right": "L02413", "left": "L02414"}),
    ("L0291", r"\bback\b", "L02212", {}),
    ("L0291", r"\bgroin\b", "L02214", {}),
    ("T148XXA", r"\bscalp lac|lac\w* [^.]{0,20}\bscalp\b", "S0101XA", {}),
    ("T148XXA", r"\blip lac|lac\w* [^.]{0,20}\blip\b", "S01511A", {}),
    ("T148XXA", r"\b((fore)?head|face|facial|chin) lac|lac\w* [^.]{0,20}\b((fore)?head|face|chin)\b", "S0181XA", {}),
    ("T148XXA", r"\bfinger lac|lac\w* [^.]{0,20}\bfinger\b", "S61219A", {}),
    ("T148XXA", r"\bhand lac|lac\w* [^.]{0,20}\bhand\b", "S61419A", {"right": "S61411A", "left": "S61412A"}),
    ("T148XXA", r"\bforearm lac|lac\w* [^.]{0,20}\bforearm\b", "S51819A", {"right": "S51811A", "left": "S51812A"}),
    ("T148XXA", r"\bknee lac|lac\w* [^.]{0,20}\bknee\b", "S81019A", {"right": "S81011A", "left": "S81012A"}),
    ("T148XXA", r"\b(foot|feet) lac|lac\w* [^.]{0,20}\bfoot\b", "S91319A", {"right": "S91311A", "left": "S91312A"}),
    ("T148XXA", r"\bleg lac|lac\w* [^.]{0,20}\b(leg|shin|calf)\b", "S81819A", {"right": "S81811A", "left": "S81812A"}),
    ("N630", _ANY, "N630", {"right": "N6310", "left": "N6320"}),
)
# Found code (a beginning of it), words of the heading and what is said of it, code instead, rule.
_SAID = tuple(
    (key, re.compile(pattern, re.IGNORECASE), instead, name)
    for key, pattern, instead, name in (
        ("N200", r"\b(ureter(al|ic)?|ureterovesical|uvj)\b", "N201", "site-ureter"),
        ("F17200", r"\bcigarettes?\b|\bpacks? (per|a) day\b|\bppd\b", "F17210", "product-cigarettes"),
        ("I509", r"\b(chronic|longstanding)\b.*\b(mixed|combined)\b", "I5042", "heart-failure-kind"),
        ("I509", r"\b(mixed|combined)\b", "I5040", "heart-failure-kind"),
        ("I509", r"\bdiastolic heart failure\b|\bhfpef\b", "I5030", "heart-failure-kind"),
        ("I509", r"\bsystolic heart failure\b|\bhfref\b", "I5020", "heart-failure-kind"),
        ("M75100", r"\b(partial|incomplete|partial[- ]thickness)\b", "M75110", "tear-kind"),
        ("M75100", r"\b(complete|full[- ]thickness)\b", "M75120", "tear-kind"),
        ("F17200", r"\b(vap(e|es|ing)|e-?cig\w*)\b", "F17290", "product-vaping"),
        ("F17200", r"\b(chew\w*|dip|snuff|smokeless)\b", "F17220", "product-chewing"),
        ("O24419", r"\bdiet[- ]controlled\b|\bdiet alone\b", "O24410", "control"),
        ("O24419", r"\binsulin\b", "O24414", "control"),
        ("O24419", r"\b(metformin|glyburide|oral)\b", "O24415", "control"),
        ("Z00129", r"(?<!without )(?<!no )\babnormal findings", "Z00121", "abnormal-findings"),
        ("C439", r"\b(back|chest|abdomen|flank|trunk)\b", "C4359", "site"),
        ("C439", r"\b(scalp|neck)\b", "C434", "site"),
        ("C439", r"\b(face|cheek|forehead|nose)\b", "C4330", "site"),
        ("C439", r"\b(arm|forearm|shoulder|hand)\b", "C4360", "site"),
        ("C439", r"\b(leg|thigh|calf|foot|ankle|hip)\b", "C4370", "site"),
        ("C4491", r"\bnose|nasal\b", "C44311", "site"),
        ("C4492", r"\bnose|nasal\b", "C44321", "site"),
        ("C4491", r"\bscalp|neck\b", "C4441", "site"),
        ("C4492", r"\bscalp|neck\b", "C4442", "site"),
        ("J45909", r"\bacute (asthma )?exacerbation\b|\basthma exacerbation\b", "J45901", "exacerbation"),
        ("J4520", r"\bexacerbation\b", "J4521", "exacerbation"),
        ("J4530", r"\bexacerbation\b", "J4531", "exacerbation"),
        ("J4540", r"\bexacerbation\b", "J4541", "exacerbation"),
        ("J4550", r"\bexacerbation\b", "J4551", "exacerbation"),
        ("J449", r"\b(acute|copd) exacerbation\b", "J441", "exacerbation"),
        ("J9600", r"\bhypox", "J9601", "respiratory-failure"),
        ("J9600", r"\bhyperc(ap|arb)", "J9602", "respiratory-failure"),
        ("J9610", r"\bhypox|home oxygen|home o2", "J9611", "respiratory-failure"),
        ("J9610", r"\bhyperc(ap|arb)", "J9612", "respiratory-failure"),
        ("J9620", r"\bhypox", "J9621", "respiratory-failure"),
        ("J9620", r"\bhyperc(ap|arb)", "J9622", "respiratory-failure"),
        ("J111", r"\b(influenza|flu) (type )?[ab]\b|\b(influenza|flu)\b[^.]{0,30}\bpositive\b", "J101", "identified"),
        ("N400", r"\bluts\b|lower urinary tract symptoms|obstruct|retention|weak stream|hesitancy", "N401", "symptoms"),
        ("Z0000", r"(?<!without )\babnormal findings", "Z0001", "abnormal-findings"),
        ("E119", r"\b(uncontrolled|poorly[- ]controlled|inadequately controlled)( type (2|ii))? (diabetes|dm)"
                 r"|\b(diabetes|t2dm|dm ?2?|type 2)\b[^.\n]{0,30}(\buncontrolled|poorly[- ]controlled"
                 r"|with hyperglyc)", "E1165", "uncontrolled"),
        ("E109", r"\b(uncontrolled|poorly[- ]controlled)( type (1|i))? (diabetes|dm)"
                 r"|\b(diabetes|t1dm|dm ?1?|type 1)\b[^.\n]{0,30}(\buncontrolled|poorly[- ]controlled"
                 r"|with hyperglyc)", "E1065", "uncontrolled"),
    )
)
_SEVERITY = tuple(
    (re.compile(pattern, re.IGNORECASE), single, recurrent)
    for pattern, single, recurrent in (
        (r"\b(partial|partially)\b[^.]{0,12}\bremission\b", "F324", "F3341"),
        (r"\b(full|complete)\b[^.]{0,12}\bremission\b", "F325", "F3342"),
        (r"\bremission\b", "F325", "F3340"),
        (r"\b(with|w/) psychotic\b", "F323", "F333"),
        (r"\bsevere\b", "F322", "F332"),
        (r"\bmoderate(ly)?\b", "F321", "F331"),
        (r"\bmild\b", "F320", "F330"),
    )
)
# fmt: on
_RECURRENT = re.compile(r"\brecurrent\b", re.IGNORECASE)
_DEPENDENT = re.compile(r"\b(moderate|severe|dependen\w+)\b", re.IGNORECASE)
_REPLACED = re.compile(r"\b(suboxone|buprenorphine|methadone|bup/?nal\w*|bup|naltrexone|vivitrol)\b", re.IGNORECASE)
_REMISSION = re.compile(r"\b(remission|sober|abstinent)\b", re.IGNORECASE)
_MAJOR = ("F320", "F321", "F322", "F329", "F339")
_SITE_RULES = {"M": "osteoarthritis-site"}


def at_site(key: str, said: str, side: str | None) -> tuple[str, tuple[str, ...]] | None:
    """The code of the site that `said` names, with its rule; None when the found code does not go by site."""
    for found, site, plain, by_side in _SITES:
        if key == found and site.search(said):
            return by_side.get(side or "", plain), (_SITE_RULES.get(key[0], "site"),)
    return None


def said_instead(key: str, heading: str, said: str, rules: list[str]) -> str | None:
    """A more exact code that the heading, or all that is `said` of it, asks for; the rule's name goes to `rules`."""
    for found, pattern, instead, name in _SAID:
        if key == found and pattern.search(said):
            rules.append(name)
            return instead
    return _substance(key, heading, said, rules) or _depression(key, heading, rules)


def _substance(key: str, heading: str, said: str, rules: list[str]) -> str | None:
    """A use disorder by its severity and course: moderate, severe or on replacement is dependence (F10 to F19)."""
    if not re.fullmatch(r"F1\d[12]0", key):
        return None
    dependent = key[3] == "2" or _DEPENDENT.search(heading) or (key[:3] == "F11" and _REPLACED.search(said))
    instead = f"{key[:3]}{'2' if dependent else '1'}{'1' if _REMISSION.search(heading) else '0'}"
    if instead == key:
        return None
    rules.append("use-disorder")
    return instead


def _depression(key: str, heading: str, rules: list[str]) -> str | None:
    """Episode and severity of a major depression as its heading gives them."""
    again = _RECURRENT.search(heading) is not None
    if key not in _MAJOR and not (key == "F32A" and again):
        return None
    severity = next(((one, more) for pattern, one, more in _SEVERITY if pattern.search(heading)), ("", "F339"))
    instead = severity[1] if again or key == "F339" else severity[0]
    if not instead or instead == key:
        return None
    rules.append("depression-episode")
    return instead
