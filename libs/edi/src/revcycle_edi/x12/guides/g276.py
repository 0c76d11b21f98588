"""005010X212, the claim status inquiry (276) and its answer (277)."""

_STATUS = "(AN1-30,AN1-30,?AN2-3,?AN1-3)"
_STC = f"{_STATUS} D8 - ?R ?R ?D8 ?AN3-3 ?D8 ?AN1-16 ?{_STATUS} ?{_STATUS}"
_NAME = "=1|2 ?AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10"
_SERVICE = "(=AD|ER|HC|HP|IV|N4|NU|WK,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2)"


def _inquiry(indent: str) -> str:
    lines = f"""
LOOP 2200 S *
  TRN R 1 =1 AN1-50
  REF S 6 =1K|BLT|LU|EJ|XZ|D9|EA AN1-50
  AMT S 1 =T3 R
  DTP S 1 =472 DTP:D8|RD8
  LOOP 2210 S *
    SVC R 1 {_SERVICE} R ?- ?AN1-48 ?- ?- ?R
    REF S 1 =FJ AN1-50
    DTP R 1 =472 DTP:D8|RD8
"""
    return "\n".join(indent + line for line in lines.splitlines() if line)


def _answer(indent: str) -> str:
    lines = f"""
LOOP 2200 S *
  TRN R 1 =2 AN1-50
  STC R * {_STC}
  REF S 7 =1K|BLT|LU|EJ|XZ|D9|EA|VV AN1-50
  DTP S 1 =472 DTP:D8|RD8
  LOOP 2220 S *
    SVC R 1 {_SERVICE} R ?R ?AN1-48 ?- ?- ?R
    STC R * {_STC}
    REF S 1 =FJ AN1-50
    DTP S 1 =472 DTP:D8|RD8
"""
    return "\n".join(indent + line for line in lines.splitlines() if line)


def _levels(body8: str, body10: str, receiver: str = "", provider: str = "") -> str:
    return f"""
LOOP 2000A R *
  HL R 1 N1-12 - =20 =1
  LOOP 2100A R 1
    NM1 R 1 =PR =2 AN1-60 - - - - =PI|XV AN2-80
    PER S 1 =IC ?AN1-60 =ED|EM|TE|FX AN1-256 ?=ED|EM|TE|FX|EX ?AN1-256 ?=EX|FX ?AN1-256
  LOOP 2000B R *
    HL R 1 N1-12 N1-12 =21 =0|1
    LOOP 2100B R 1
      NM1 R 1 =41 {_NAME} =46 AN2-80
{receiver}
    LOOP 2000C S *
      HL R 1 N1-12 N1-12 =19 =0|1
      LOOP 2100C R 2
        NM1 R 1 =1P {_NAME} =FI|SV|XX AN2-80
{provider}
      LOOP 2000D S *
        HL R 1 N1-12 N1-12 =22 =0|1
        DMG S 1 =D8 D8 ?=F|M|U
        LOOP 2100D R 1
          NM1 R 1 =IL {_NAME} =24|II|MI AN2-80
{body8}
        LOOP 2000E S *
          HL R 1 N1-12 N1-12 =23 ?=0
          DMG S 1 =D8 D8 ?=F|M|U
          LOOP 2100E R 1
            NM1 R 1 =QC =1 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10
{body10}
SE R 1 N1-10 AN4-9
"""


_TRACE = f"""
    LOOP 2200B S 1
      TRN R 1 =2 AN1-50
      STC R * {_STC}
"""
_TRACE_C = f"""
      LOOP 2200C S *
        TRN R 1 =1|2 AN1-50
        STC R * {_STC}
"""

GUIDE = """
ST R 1 =276 AN4-9 AN1-35
BHT R 1 =0010 =13 AN1-50 D8 TM
""" + _levels(_inquiry(" " * 8), _inquiry(" " * 10))

ANSWER = """
ST R 1 =277 AN4-9 AN1-35
BHT R 1 =0010 =08 AN1-50 D8 TM =DG
""" + _levels(_answer(" " * 8), _answer(" " * 10), _TRACE, _TRACE_C)
