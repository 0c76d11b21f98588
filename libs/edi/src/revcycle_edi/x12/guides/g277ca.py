"""005010X214, the claim acknowledgment."""

_STATUS = "(AN1-30,AN1-30,?AN2-3)"
_STC = f"{_STATUS} ?D8 ?=U|WQ ?R - - - - - ?{_STATUS} ?{_STATUS} ?AN1-264"

GUIDE = f"""
ST R 1 =277 AN4-9 AN1-35
BHT R 1 =0085 =08 AN1-50 D8 TM =TH
LOOP 2000A R 1
  HL R 1 N1-12 - =20 =1
  LOOP 2100A R 1
    NM1 R 1 =AY|PR =2 AN1-60 - - - - =46|FI|PI|XV AN2-80
  LOOP 2200A R 1
    TRN R 1 =1 AN1-50
    DTP R 1 =050 DTP:D8
    DTP R 1 =009 DTP:D8
LOOP 2000B R *
  HL R 1 N1-12 N1-12 =21 =0|1
  LOOP 2100B R 1
    NM1 R 1 =41 =1|2 AN1-60 ?AN1-35 ?AN1-25 - - =46 AN2-80
  LOOP 2200B R 1
    TRN R 1 =2 AN1-50
    STC R * {_STC}
    QTY S 1 =90 R
    QTY S 1 =AA R
    AMT S 1 =YU R
    AMT S 1 =YY R
  LOOP 2000C S *
    HL R 1 N1-12 N1-12 =19 =0|1
    LOOP 2100C R 1
      NM1 R 1 =85 =1|2 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10 =FI|XX|SV AN2-80
    LOOP 2200C S 1
      TRN R 1 =1 AN1-50
      STC S * {_STC}
      REF S 3 =0B|1G|G2|LU|SY|TJ AN1-50
      QTY S 1 =QA R
      QTY S 1 =QC R
      AMT S 1 =YU R
      AMT S 1 =YY R
    LOOP 2000D S *
      HL R 1 N1-12 N1-12 =PT ?=0
      LOOP 2100D R 1
        NM1 R 1 =QC =1|2 AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10 ?=II|MI ?AN2-80 P8,9
      LOOP 2200D R *
        TRN R 1 =2 AN1-50
        STC R * {_STC}
        REF S 1 =1K AN1-50
        REF S 1 =D9 AN1-50
        REF S 1 =BLT AN1-50
        DTP S 1 =472 DTP:D8|RD8
        LOOP 2220D S *
          SVC R 1 (=AD|ER|HC|HP|IV|NU|WK,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2) R ?- ?AN1-48 ?- ?- ?R
          STC R * {_STC}
          REF S 1 =FJ AN1-50
          REF S 1 =XZ AN1-50
          DTP S 1 =472 DTP:D8|RD8
SE R 1 N1-10 AN4-9
"""
