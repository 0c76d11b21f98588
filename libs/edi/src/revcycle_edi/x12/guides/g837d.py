# ruff: noqa: E501 - one line of the table is one segment of the guide
"""005010X224A2, the dental claim: what differs from the professional guide; levels above the claim are shared."""

from revcycle_edi.x12.guides.g837p import ADJUDICATION, HEAD, LEVELS, OTHER_PAYER, indent, provider

_CLAIM = (
    """
CLM R 1 AN1-38 R - - (AN2-2,=B,=1|6|7|8) =N|Y =A|C|P|B =N|W|Y =I|Y - ?(=AA|EM|OA,?=AA|EM|OA,?=AA|EM|OA,?AN2-2,?AN2-3) ?=01|02|03|05 - - - - - - ?=PB ?=1|2|3|4|5|6|7|8|9|10|11|15
DTP S 1 =439 DTP:D8
DTP S 1 =452 DTP:D8
DTP S 1 =472 DTP:D8|RD8
DTP S 1 =050 DTP:D8
DN1 S 1 ?R ?R - ?AN1-80
DN2 S 35 AN1-50 =E|M - - - =JP
PWK S 10 AN2-2 =AA|BM|EL|EM|FT|FX - - ?=AC ?AN2-80 P5,6
CN1 S 1 =01|02|03|04|05|06|09 ?R ?R ?AN1-50 ?R ?AN1-30
AMT S 1 =F5 R
REF S each =4N|F8|9F|G1|G3|9A|9C|D9 AN1-50
K3 S 10 AN1-80
NTE S 5 =ADD AN1-80
HI S 1 (=ABK|BK|TQ,AN1-30) ?(=ABF|BF|TQ,AN1-30) ?(=ABF|BF|TQ,AN1-30) ?(=ABF|BF|TQ,AN1-30)
HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R - - - - - - - ?AN1-2 ?AN1-2 ?AN1-2
"""
    + provider("2310A", "DN|P3", 2, "1", taxonomy="RF")
    + provider("2310B", "82", 1, taxonomy="PE")
    + provider("2310C", "77", 1, "2", place="R")
    + provider("2310D", "DD", 1, "1", taxonomy="AS")
    + provider("2310E", "DQ", 1, "1")
    + OTHER_PAYER
    + """
LOOP 2400 R 50
  LX R 1 N1-6
  SV3 R 1 (=AD|HC,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2,?AN1-80) R ?AN1-2 ?(AN1-3,?AN1-3,?AN1-3,?AN1-3,?AN1-3) ?=I|R R - - - - ?(N1-2,?N1-2,?N1-2,?N1-2)
  TOO S 32 =JP AN1-30 ?(AN1-2,?AN1-2,?AN1-2,?AN1-2,?AN1-2)
  DTP S 1 =472 DTP:D8
  DTP S 1 =441 DTP:D8
  DTP S 1 =452 DTP:D8
  DTP S 1 =446 DTP:D8
  DTP S 1 =196 DTP:D8
  DTP S 1 =198 DTP:D8
  CN1 S 1 =01|02|03|04|05|06|09 ?R ?R ?AN1-50 ?R ?AN1-30
  REF S each =G3|9A|9C|6R AN1-50
  REF S 5 =G1 AN1-50 - ?(=2U,AN1-50)
  REF S 5 =9F AN1-50 - ?(=2U,AN1-50)
  AMT S 1 =T R
  K3 S 10 AN1-80
  HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R - - - ?AN2-2 ?AN1-48 ?=UN ?R ?AN1-2 ?AN1-2 ?AN1-2
"""
    + indent(
        provider("2420A", "82", 1, taxonomy="PE")
        + provider("2420B", "DD", 1, "1", taxonomy="AS")
        + provider("2420C", "DQ", 1, "1")
        + provider("2420D", "77", 1, "2", place="R"),
        2,
    )
    + "\n"
    + ADJUDICATION
)

GUIDE = HEAD + LEVELS.format(claim8=indent(_CLAIM, 6), claim10=indent(_CLAIM, 8))
