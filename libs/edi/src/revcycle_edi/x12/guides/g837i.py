# ruff: noqa: E501 - one line of the table is one segment of the guide
"""005010X223A2, the institutional claim: what differs from the professional guide; levels above the claim are shared."""

from revcycle_edi.x12.guides.g837p import DRUG, HEAD, INSTITUTIONAL_ADJUDICATION, LEVELS, OTHER_PAYER, indent, provider


def _list(codes: str, tail: str, count: int = 12) -> str:
    """A list of composites with one qualifier."""
    return f"HI S 2 (={codes},{tail})" + f" ?(={codes},{tail})" * (count - 1)


_POA = "AN1-30,-,-,-,-,-,-,?=N|U|W|Y|1"

_CLAIM = (
    """
CLM R 1 AN1-38 R - - (AN2-2,=A,AN1-1) - =A|B|C =N|W|Y =I|Y - - - - - - - - - - ?=1|2|3|4|5|6|7|8|9|10|11|15
DTP S 1 =096 DTP:TM
DTP R 1 =434 DTP:RD8|D8
DTP S 1 =435 DTP:D8|DT
DTP S 1 =050 DTP:D8
CL1 R 1 AN1-1 ?AN1-1 AN1-2
PWK S 10 AN2-2 =AA|BM|EL|EM|FT|FX - - ?=AC ?AN2-80 P5,6
CN1 S 1 =01|02|03|04|05|06|09 ?R ?R ?AN1-50 ?R ?AN1-30
AMT S 1 =F3 R
REF S each =4N|9F|G1|F8|9A|9C|LX|D9|LU|EA|P4|G4 AN1-50
K3 S 10 AN1-80
NTE S 10 =ALG|DCP|DGN|DME|MED|NTR|ODT|RHB|RLH|RNH|SET|SFM|SPT|UPI AN1-80
NTE S 1 =ADD AN1-80
CRC S 1 =ZZ =N|Y AN2-3 ?AN2-3 ?AN2-3
HI R 1 (=ABK|BK,"""
    + _POA
    + """)
HI S 1 (=ABJ|BJ,AN1-30)
HI S 1 (=APR|PR,AN1-30) ?(=APR|PR,AN1-30) ?(=APR|PR,AN1-30)
"""
    + f"HI S 1 (=ABN|BN,{_POA})"
    + f" ?(=ABN|BN,{_POA})" * 11
    + "\nHI S 1 (=DR,AN1-30)\n"
    + f"HI S 2 (=ABF|BF,{_POA})"
    + f" ?(=ABF|BF,{_POA})" * 11
    + "\nHI S 1 (=BBR|BR|CAH,AN1-30,?=D8,?D8)\n"
    + _list("BBQ|BQ", "AN1-30,=D8,D8")
    + "\n"
    + _list("BI", "AN1-30,=RD8,AN17-17")
    + "\n"
    + _list("BH", "AN1-30,=D8,D8")
    + "\n"
    + _list("BE", "AN1-30,-,-,R")
    + "\n"
    + _list("BG", "AN1-30")
    + "\n"
    + _list("TC", "AN1-30")
    + """
HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R ?AN1-50 ?R ?AN1-48 ?AN2-2 ?AN1-48 ?=DA|UN ?R ?AN1-2 ?AN1-2 ?AN1-2
"""
    + provider("2310A", "71", 1, "1", taxonomy="AT")
    + provider("2310B", "72", 1, "1")
    + provider("2310C", "ZZ", 1, "1")
    + provider("2310D", "82", 1, "1")
    + provider("2310E", "77", 1, "2", place="R")
    + provider("2310F", "DN", 1, "1")
    + OTHER_PAYER
    + """
LOOP 2400 R 999
  LX R 1 N1-6
  SV2 R 1 AN1-48 ?(=ER|HC|HP|IV|WK,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2,?AN1-80) R =DA|UN R - ?R
  PWK S 10 AN2-2 =AA|BM|EL|EM|FT|FX - - ?=AC ?AN2-80 P5,6
  DTP S 1 =472 DTP:D8|RD8
  REF S each =6R|9B|9D AN1-50
  AMT S 1 =GT R
  AMT S 1 =N8 R
  NTE S 1 =TPO AN1-80
  HCP S 1 =00|01|02|03|04|05|06|07|08|09|10|11|12|13|14 R ?R ?AN1-50 ?R ?AN1-50 ?R ?AN1-48 ?=HC|HP ?AN1-48 ?=DA|UN ?R ?AN1-2 ?AN1-2 ?AN1-2
"""
    + DRUG
    + indent(
        provider("2420A", "72", 1, "1")
        + provider("2420B", "ZZ", 1, "1")
        + provider("2420C", "82", 1, "1")
        + provider("2420D", "DN", 1, "1"),
        2,
    )
    + "\n"
    + INSTITUTIONAL_ADJUDICATION
)

GUIDE = HEAD + LEVELS.format(claim8=indent(_CLAIM, 6), claim10=indent(_CLAIM, 8))
