# ruff: noqa: E501 - one line of the table is one segment of the guide
"""005010X222A1, the professional claim, in the notation of the guide model."""

HEAD = """
ST R 1 =837 AN4-9 AN1-35
BHT R 1 =0019 =00|18 AN1-50 D8 TM =31|CH|RP
LOOP 1000A R 1
  NM1 R 1 =41 =1|2 AN1-60 ?AN1-35 ?AN1-25 - - =46 AN2-80
  PER R 2 =IC ?AN1-60 =EM|FX|TE AN1-256 ?=EM|EX|FX|TE ?AN1-256 ?=EM|EX|FX|TE ?AN1-256 P5,6 P7,8
LOOP 1000B R 1
  NM1 R 1 =40 =2 AN1-60 - - - - =46 AN2-80
"""

LEVELS = """
LOOP 2000A R *
  HL R 1 N1-12 - =20 =1
  PRV S 1 =BI =PXC AN1-50
  CUR S 1 =85 AN3-3
  LOOP 2010AA R 1
    NM1 R 1 =85 =1|2 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10 ?=XX ?AN2-80 P8,9
    N3 R 1 AN1-55 ?AN1-55
    N4 R 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3 - ?-
    REF R 1 =EI|SY AN1-50
    REF S 2 =0B|1G AN1-50
    REF S 4 =G2|LU AN1-50
    PER S 2 =IC ?AN1-60 =EM|FX|TE AN1-256 ?=EM|EX|FX|TE ?AN1-256 ?=EM|EX|FX|TE ?AN1-256 P5,6 P7,8
  LOOP 2010AB S 1
    NM1 R 1 =87 =1|2
    N3 R 1 AN1-55 ?AN1-55
    N4 R 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
  LOOP 2010AC S 1
    NM1 R 1 =PE =2 AN1-60 - - - - =PI|XV AN2-80
    N3 R 1 AN1-55 ?AN1-55
    N4 R 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
    REF S 1 =2U|FY|NF AN1-50
    REF R 1 =EI AN1-50
  LOOP 2000B R *
    HL R 1 N1-12 N1-12 =22 =0|1
    SBR R 1 =A|B|C|D|E|F|G|H|P|S|T|U ?=18 ?AN1-50 ?AN1-60 ?=12|13|14|15|16|41|42|43|47 - - - ?AN1-2
    PAT S 1 - - - - ?=D8 ?D8 ?=01 ?R ?=Y P5,6 P7,8
    LOOP 2010BA R 1
      NM1 R 1 =IL =1|2 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10 ?=II|MI ?AN2-80 P8,9
      N3 S 1 AN1-55 ?AN1-55
      N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
      DMG S 1 =D8 D8 =F|M|U
      REF S 1 =SY AN1-50
      REF S 1 =Y4 AN1-50
      PER S 1 =IC ?AN1-60 =TE AN1-256 ?=EX ?AN1-256 P5,6
    LOOP 2010BB R 1
      NM1 R 1 =PR =2 AN1-60 - - - - =PI|XV AN2-80
      N3 S 1 AN1-55 ?AN1-55
      N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
      REF S 3 =2U|EI|FY|NF AN1-50
      REF S 2 =G2|LU AN1-50
    LOOP 2300 S 100
{claim8}
    LOOP 2000C S *
      HL R 1 N1-12 N1-12 =23 =0
      PAT R 1 =01|19|20|21|39|40|53|G8 - - - ?=D8 ?D8 ?=01 ?R ?=Y P5,6 P7,8
      LOOP 2010CA R 1
        NM1 R 1 =QC =1 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10
        N3 R 1 AN1-55 ?AN1-55
        N4 R 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
        DMG R 1 =D8 D8 =F|M|U
        REF S 1 =Y4 AN1-50
        REF S 1 =SY|1W AN1-50
        PER S 1 =IC ?AN1-60 =TE AN1-256 ?=EX ?AN1-256 P5,6
      LOOP 2300 R 100
{claim10}
SE R 1 N1-10 AN4-9
"""

CAS = "CAS S 5 =CO|CR|OA|PI|PR" + " AN1-5 R ?R" + " ?AN1-5 ?R ?R" * 5 + " P5,6 P8,9 P11,12 P14,15 P17,18"

OTHER_PAYER = f"""
LOOP 2320 S 10
  SBR R 1 =A|B|C|D|E|F|G|H|P|S|T|U =01|18|19|20|21|39|40|53|G8 ?AN1-50 ?AN1-60 ?AN1-3 - - - ?AN1-2
  {CAS}
  AMT S 1 =D R
  AMT S 1 =A8 R
  AMT S 1 =EAF R
  AMT S 20 =B1|T3|T2|B6|F2|N1|KF|PG|AAE R
  OI R 1 - - =N|W|Y ?=P - =I|Y
  MIA S 1 R ?R ?R ?R ?AN1-50 ?R ?R ?R ?R ?R ?R ?R ?R ?R ?R ?R ?R ?R ?R ?AN1-50 ?AN1-50 ?AN1-50 ?AN1-50 ?R
  MOA S 1 ?R ?R ?AN1-50 ?AN1-50 ?AN1-50 ?AN1-50 ?AN1-50 ?R ?R
  LOOP 2330A R 1
    NM1 R 1 =IL =1|2 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10 ?=II|MI ?AN2-80 P8,9
    N3 S 1 AN1-55 ?AN1-55
    N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
    REF S 2 =SY AN1-50
  LOOP 2330B R 1
    NM1 R 1 =PR =2 AN1-60 - - - - =PI|XV AN2-80
    N3 S 1 AN1-55 ?AN1-55
    N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
    DTP S 1 =573 DTP:D8
    REF S 8 =2U|EI|FY|NF|G1|9F|T4|F8 AN1-50
  LOOP 2330C S 2
    NM1 R 1 =DN|P3|71|72|ZZ =1
    REF R 3 =0B|1G|G2|LU AN1-50
  LOOP 2330D S 1
    NM1 R 1 =82 =1|2
    REF R 3 =0B|1G|G2|LU AN1-50
  LOOP 2330E S 1
    NM1 R 1 =77 =2
    REF R 3 =0B|1G|G2|LU AN1-50
  LOOP 2330F S 1
    NM1 R 1 =DQ|DD =1
    REF R 3 =0B|1G|G2|LU AN1-50
  LOOP 2330G S 1
    NM1 R 1 =85 =1|2
    REF R 2 =G2|LU AN1-50
"""

DRUG = """
  LOOP 2410 S 1
    LIN R 1 - =N4 AN1-48
    CTP R 1 - - - R (=F2|GR|ME|ML|UN)
    REF S 1 =VY|XZ AN1-50
"""

_ADJUDICATION = """
  LOOP 2430 S 15
    SVD R 1 AN2-80 R {procedure}(=ER|HC|HP|IV|WK|AD,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2,?AN1-80) {revenue} R ?N1-6
    {cas}
    DTP S 1 =573 DTP:D8
    AMT S 1 =EAF R
"""

ADJUDICATION = _ADJUDICATION.format(procedure="", revenue="-", cas=CAS)
INSTITUTIONAL_ADJUDICATION = _ADJUDICATION.format(procedure="?", revenue="?AN1-48", cas=CAS)

SERVICE_DATES = "DTP S 1 =472 DTP:D8|RD8"


def provider(
    loop: str,
    codes: str,
    maximum: int,
    person: str = "1|2",
    *,
    place: str = "",
    taxonomy: str = "",
    name: str = "AN1-60",
) -> str:
    """A provider loop of level 2310 or 2420.

    place is the usage of its address and taxonomy the role in its PRV, both empty where the guide has none.
    """
    lines = [
        f"LOOP {loop} S {maximum}",
        f"  NM1 R 1 ={codes} ={person} {name} ?AN1-35 ?AN1-25 - ?AN1-10 ?=XX ?AN2-80 P8,9",
    ]
    if taxonomy:
        lines.append(f"  PRV S 1 ={taxonomy} =PXC AN1-50")
    if place:
        lines += [f"  N3 {place} 1 AN1-55 ?AN1-55", f"  N4 {place} 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3"]
    lines += [
        "  REF S 20 =0B|1G|G2|LU AN1-50 - ?(=2U,AN1-50)",
        "  PER S 1 =IC ?AN1-60 =TE AN1-256 ?=EX ?AN1-256 P5,6",
    ]
    return "\n".join(lines) + "\n"


CLAIM = (
    """
CLM R 1 AN1-38 R - - (AN2-2,=B,=1|2|3|4|5|6|7|8|9) =N|Y =A|B|C =N|W|Y =I|Y ?=P ?(=AA|EM|OA,?=AA|EM|OA,-,?AN2-2,?AN2-3) ?=02|03|05|09 - - - - - - - ?=1|2|3|4|5|6|7|8|9|10|11|15
DTP S each =431|454|304|453|439|484|455|471|360|361|297|296|435|096|090|091|444|050 DTP:D8
DTP S 1 =314 DTP:D8|RD8
PWK S 10 =03|04|05|06|07|08|09|10|11|13|15|21|A3|A4|AM|AS|B2|B3|B4|BR|BS|BT|CB|CK|CT|D2|DA|DB|DG|DJ|DS|EB|HC|HR|I5|IR|LA|M1|MT|NN|OB|OC|OD|OE|OX|OZ|P4|P5|PE|PN|PO|PQ|PY|PZ|RB|RR|RT|RX|SG|V5|XP =AA|BM|EL|EM|FT|FX - - ?=AC ?AN2-80 P5,6
CN1 S 1 =01|02|03|04|05|06|09 ?R ?R ?AN1-50 ?R ?AN1-30
AMT S 1 =F5 R
REF S each =4N|F5|EW|9F|G1|F8|X4|9A|9C|LX|D9|EA|P4|1J AN1-50
K3 S 10 AN1-80
NTE S 1 =ADD|CER|DCP|DGN|TPO AN1-80
CR1 S 1 ?=LB ?R - =A|B|C|D|E =DH R - - ?AN1-80 ?AN1-80 P1,2
CR2 S 1 - - - - - - - =A|C|D|E|F|G|M - ?AN1-80 ?AN1-80
CRC S 8 =07|75|E1|E2|E3|ZZ =N|Y AN2-3 ?AN2-3 ?AN2-3 ?AN2-3 ?AN2-3
HI R 1 (=ABK|BK,AN1-30)"""
    + " ?(=ABF|BF,AN1-30)" * 11
    + """
HI S 1 (=BP,AN1-30) ?(=BO,AN1-30)
HI S 2 (=BG,AN1-30)"""
    + " ?(=BG,AN1-30)" * 11
    + """
HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R ?AN1-50 ?R - - - - - ?AN1-2 ?AN1-2 ?AN1-2
"""
    + provider("2310A", "DN|P3", 2, "1")
    + provider("2310B", "82", 1, taxonomy="PE")
    + provider("2310C", "77", 1, "2", place="R")
    + provider("2310D", "DQ", 1, "1")
    + provider("2310E", "PW", 1, "2", place="R", name="?AN1-60")
    + provider("2310F", "45", 1, "2", place="R", name="?AN1-60")
    + OTHER_PAYER
    + """
LOOP 2400 R 50
  LX R 1 N1-6
  SV1 R 1 (=ER|HC|IV|WK,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2,?AN1-80) R =MJ|UN R ?AN1-2 - (N1-2,?N1-2,?N1-2,?N1-2) - ?=Y - ?=Y ?=Y - - ?=0
  SV5 S 1 (=HC,AN1-48) =DA R R R =1|4|6
  PWK S 10 AN2-2 =AA|AB|AD|AF|AG|BM|EL|EM|FT|FX|NS - - ?=AC ?AN2-80 P5,6
  CR1 S 1 ?=LB ?R - =A|B|C|D|E =DH R - - ?AN1-80 ?AN1-80 P1,2
  CR3 S 1 =I|R|S =MO R
  CRC S 3 =07 =N|Y AN2-3 ?AN2-3 ?AN2-3 ?AN2-3 ?AN2-3
  CRC S 1 =70 =N|Y =65
  CRC S 1 =09 =N|Y =38|ZV ?=38|ZV
  DTP R 1 =472 DTP:D8|RD8
  DTP S each =471|607|463|461|304|738|739|011|455|454 DTP:D8
  QTY S 1 =PT R
  QTY S 1 =FL R
  MEA S 5 =OG|TR =HT|R1|R2|R3|R4 R
  CN1 S 1 =01|02|03|04|05|06|09 ?R ?R ?AN1-50 ?R ?AN1-30
  REF S each =9B|9D|6R|EW|X4|F4|BT AN1-50
  REF S 5 =G1 AN1-50 - ?(=2U,AN1-50)
  REF S 5 =9F AN1-50 - ?(=2U,AN1-50)
  AMT S 1 =T R
  AMT S 1 =F4 R
  K3 S 10 AN1-80
  NTE S 1 =ADD|DCP AN1-80
  NTE S 1 =TPO AN1-80
  PS1 S 1 AN1-50 R
  HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R ?AN1-50 ?R - ?AN2-2 ?AN1-48 ?=DA|UN ?R ?AN1-2 ?AN1-2 ?AN1-2
"""
    + DRUG
    + "".join(
        "  " + line + "\n"
        for text in (
            provider("2420A", "82", 1, taxonomy="PE"),
            provider("2420B", "QB", 1),
            provider("2420C", "77", 1, "2", place="R"),
            provider("2420D", "DQ", 1, "1"),
            provider("2420E", "DK", 1, "1", place="S"),
            provider("2420F", "DN|P3", 2, "1"),
            provider("2420G", "PW", 1, "2", place="R", name="?AN1-60"),
            provider("2420H", "45", 1, "2", place="R", name="?AN1-60"),
        )
        for line in text.splitlines()
        if line.strip()
    )
    + ADJUDICATION
    + """
  LOOP 2440 S *
    LQ R 1 =AS|UT AN1-30
    FRM R 99 AN1-20 ?=N|W|Y ?AN1-50 ?D8 ?R A2,3,4,5
"""
)


def indent(text: str, spaces: int) -> str:
    """The text with every line moved to the right."""
    return "\n".join(" " * spaces + line for line in text.splitlines() if line.strip())


GUIDE = HEAD + LEVELS.format(claim8=indent(CLAIM, 6), claim10=indent(CLAIM, 8))
