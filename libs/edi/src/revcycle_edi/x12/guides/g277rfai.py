"""006020X313 and 005010X213, request for additional information about a claim (277)."""

_NAME = "?AN1-60 ?AN1-35 ?AN1-25 ?- ?AN1-10"
_STATUS = "(AN1-30,AN1-30,?AN2-3,?=65|LOI)"
_STC = f"{_STATUS} ?D8 ?- ?R ?- ?- ?- ?- ?- ?{_STATUS} ?{_STATUS} ?AN1-264"

GUIDE = f"""
ST R 1 =277 AN4-9 AN1-35
BHT R 1 =0085|0010 =48|08 AN1-50 D8 TM =RQ
LOOP 2000A R 1
  HL R 1 N1-12 - =20 =1
  LOOP 2100A R 1
    NM1 R 1 =PR =2 AN1-60 ?- ?- ?- ?- =PI|XV AN2-80
    PER S 2 =IC ?AN1-60 =EM|FX|TE|UR|ED AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256
  LOOP 2000B R *
    HL R 1 N1-12 N1-12 =21 =1
    LOOP 2100B R 1
      NM1 R 1 =41 =1|2 {_NAME} =46|FI|XX AN2-80
    LOOP 2000C R *
      HL R 1 N1-12 N1-12 =19 =1
      LOOP 2100C R 1
        NM1 R 1 =1P =1|2 {_NAME} =FI|SV|XX AN2-80
      LOOP 2000D R *
        HL R 1 N1-12 N1-12 =PT|22 ?=0
        LOOP 2100D R 1
          NM1 R 1 =QC|IL =1 {_NAME} ?=II|MI ?AN2-80 P8,9
        LOOP 2200D R *
          TRN R 1 =1 AN1-50
          STC R * {_STC}
          REF S 6 =1K|BLT|EJ|EA|D9|X1 AN1-50
          DTP S 1 =472 DTP:D8|RD8
          DTP S 1 =106 DTP:D8
          LOOP 2220D S *
            SVC R 1 (=AD|ER|HC|HP|IV|NU|WK,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2) R ?- ?AN1-48 ?- ?- ?R
            STC R * {_STC}
            REF S 1 =FJ AN1-50
            DTP S 1 =472 DTP:D8|RD8
SE R 1 N1-10 AN4-9
"""
