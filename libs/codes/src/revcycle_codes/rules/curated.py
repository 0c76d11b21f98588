"""Curated maps behind the diagnosis rules, all codes in key form (prefixes unless said otherwise)."""

# A symptom and the confirmed diseases it is part of.
SYMPTOMS: dict[str, tuple[str, ...]] = {
    "R05": ("J06", "J09", "J10", "J11", "J12", "J13", "J15", "J18", "J20", "J40", "J45", "J44"),
    "R0602": ("I50", "I110", "J18", "J44", "J45"),
    "R062": ("J45", "J44"),
    "R079": ("I20", "I21", "I22", "I26"),
    "R0789": ("I20", "I21", "I22"),
    "R109": ("K35", "K37", "K80", "K81", "K85", "N20"),
    "R11": ("A08", "A09", "K52", "G43"),
    "R197": ("A04", "A08", "A09", "K52", "K50", "K51"),
    "R31": ("N20", "N30", "C67"),
    "R30": ("N30", "N39"),
    # Not N40: the note under N40.1 asks for the symptoms of an enlarged prostate beside it.
    "R35": ("E10", "E11"),
    "R42": ("H81",),
    "R502": ("J18",),
    "R509": ("A41", "J02", "J03", "J09", "J10", "J11", "J12", "J13", "J15", "J18", "J20", "N10", "L03"),
    "R519": ("G43", "G44"),
    "R569": ("G40",),
    "R601": ("I50", "N04"),
    "R609": ("I50", "I110", "I130", "N04"),
    "R739": ("E08", "E09", "E10", "E11", "E13"),
    "R030": ("I10", "I11", "I12", "I13", "I15", "I1A"),
    "R011": ("I05", "I06", "I07", "I08", "I34", "I35", "I36", "I37"),
    "R29898": ("I63", "I61"),
    "M255": ("M15", "M16", "M17", "M18", "M19", "M10", "M1A", "M05", "M06"),
    "M545": ("M511", "M512", "M480"),
}

# Exact first codes, prefixes of the second, and what goes in their place.
COMBINATIONS: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (frozenset({"I10"}), ("I50",), "I11.0 with the heart failure code after it"),
    (frozenset({"I10"}), ("N18",), "I12.- with the stage from N18 after it"),
    (frozenset({"I110", "I119"}), ("N18",), "I13.- with the stage from N18 after it"),
    (frozenset({"I120", "I129"}), ("I50",), "I13.- with the heart failure code after it"),
    (frozenset({"E119"}), ("N18",), "E11.22 with the stage from N18 after it"),
    (frozenset({"E109"}), ("N18",), "E10.22 with the stage from N18 after it"),
    (frozenset({"E119"}), ("G629", "G603", "G609", "G63"), "E11.4-, the code for diabetes with neuropathy"),
    (frozenset({"E109"}), ("G629", "G603", "G609", "G63"), "E10.4-, the code for diabetes with neuropathy"),
    (frozenset({"E119"}), ("L97",), "E11.621 with the ulcer's site from L97 after it"),
    (frozenset({"E109"}), ("L97",), "E10.621 with the ulcer's site from L97 after it"),
    (frozenset({"E119"}), ("I739", "I702"), "E11.51, diabetes with peripheral angiopathy"),
    (frozenset({"E119"}), ("H350", "H360"), "E11.31-, diabetes with retinopathy"),
    (frozenset({"E119"}), ("R739",), "E11.65, diabetes with hyperglycaemia"),
    (frozenset({"J1189", "J111", "J112"}), ("J18", "J12", "J15"), "J11.0-, influenza with pneumonia"),
    (frozenset({"J1089", "J101", "J102"}), ("J18", "J12", "J15"), "J10.0-, influenza with pneumonia"),
    (frozenset({"K5790", "K5792"}), ("K922",), "K57.-1 or K57.-3, the code with bleeding"),
    (frozenset({"K279", "K259", "K269"}), ("K922",), "the ulcer code with haemorrhage"),
    (frozenset({"J449"}), ("J18", "J20", "J22"), "J44.0 with the infection after it"),
)

# A history (status) code and the active disease of the same kind.
HISTORIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Z853", ("C50",)),
    ("Z8546", ("C61",)),
    ("Z8503", ("C18", "C20")),
    ("Z8511", ("C34",)),
    ("Z8582", ("C43", "C44")),
    ("Z8551", ("C67",)),
    ("Z8552", ("C64",)),
    ("Z8585", ("C73",)),
    ("Z8542", ("C54", "C55")),
    ("Z8673", ("I63", "I61")),
    ("Z87442", ("N20",)),
    ("Z8701", ("J18",)),
    ("Z8711", ("K25", "K26", "K27")),
    ("Z87891", ("F172",)),
    ("Z8619", ("B17", "B18", "B19")),
)
