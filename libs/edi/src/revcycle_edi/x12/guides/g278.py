# ruff: noqa: E501 - one line of the table is one segment of the guide
"""005010X217, health care services review: request (BHT02 13) and response (BHT02 11) in one table."""

_NAME = "?AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10"
_AAA = "AAA S 9 =N|Y - ?AN2-2 ?=C|N|P|R|X|Y"
_PROCEDURE = "(=AD|HC|N4|WK|ZZ,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2,?AN1-80,?AN1-48)"
_HI = " ?(=ABF|ABJ|ABK|APR|BF|BJ|BK|DR|LOI|PR,AN1-30,?=D8,?D8)"
_ADDRESS = """
N3 S 1 AN1-55 ?AN1-55
N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
"""


def _at(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.splitlines() if line.strip())


_SERVICE = f"""
LOOP 2000F S *
  HL R 1 N1-12 N1-12 =SS =0
  TRN S 3 =1|2 AN1-50 AN10-10 ?AN1-50
  {_AAA}
  UM S 1 =HS|IN|SC|AR ?=1|2|3|4|6|I|R|S|N ?AN1-2 ?(AN1-2,=A|B,?AN1-1)
  HCR S 1 =A1|A2|A3|A4|A6|C|CT|NA ?AN1-50 ?AN1-30 ?=N|Y
  REF S 2 =BB|NT AN1-50
  DTP S 6 =102|472|096|435|439|007|036 DTP:D8|RD8
  HI S 1 (=ABF|ABJ|ABK|APR|BF|BJ|BK|DR|LOI|PR,AN1-30,?=D8,?D8){_HI * 11}
  SV1 S 1 {_PROCEDURE} ?R ?=F2|MJ|UN ?R ?- ?- ?(N1-2,?N1-2,?N1-2,?N1-2) ?- ?- ?- ?=N|Y ?- ?- ?- ?- ?- ?- ?- ?- ?AN1-1
  SV2 S 1 ?AN1-48 ?{_PROCEDURE} ?R ?=DA|F2|UN ?R ?R ?- ?- ?AN1-1 ?AN1-1
  SV3 S 1 {_PROCEDURE} ?R ?- ?(AN1-3,?AN1-3,?AN1-3,?AN1-3,?AN1-3) ?=I|R ?R ?AN1-80
  TOO S 32 =JP ?AN1-30 ?(AN1-2,?AN1-2,?AN1-2,?AN1-2,?AN1-2)
  HSD S 1 ?AN2-2 ?R ?AN2-2 ?R ?N1-2 ?N1-3 ?AN1-2 ?AN1-1
  PWK S 10 AN2-2 =AA|BM|EL|EM|FX|VO ?- ?- ?=AC ?AN2-80 ?AN1-80 P5,6
  MSG S 1 AN1-264
  LOOP 2010F S 12
    NM1 R 1 =1T|72|73|77|AAJ|DD|DK|DQ|FA|G3|P3|QB|QV|SJ|98 =1|2 {_NAME} ?=24|34|46|XX ?AN2-80 P8,9
    REF S 8 AN2-3 AN1-50 ?AN1-80
    N3 S 1 AN1-55 ?AN1-55
    N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
    PER S 1 =IC ?AN1-60 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256
    {_AAA}
    PRV S 1 AN1-3 =PXC AN1-50
"""

_EVENT = f"""
LOOP 2000E S *
  HL R 1 N1-12 N1-12 =EV =0|1
  TRN S 3 =1|2 AN1-50 AN10-10 ?AN1-50
  {_AAA}
  UM R 1 =AR|HS|IN|SC ?=1|2|3|4|6|I|N|R|S ?AN1-2 ?(AN1-2,=A|B,?AN1-1) ?(AN2-3,?AN2-3,?AN2-3,?AN2-2,?AN2-3) ?AN1-3 ?AN1-1 ?AN1-1 ?AN1-1 ?AN1-2
  HCR S 1 =A1|A2|A3|A4|A6|C|CT|NA ?AN1-50 ?AN1-30 ?=N|Y
  REF S 2 =BB|NT AN1-50
  DTP S 9 =439|484|ABC|431|AAH|435|096|102|007|036 DTP:D8|RD8|DT
  HI S 1 (=ABF|ABJ|ABK|APR|BF|BJ|BK|DR|LOI|PR,AN1-30,?=D8,?D8){_HI * 11}
  HSD S 1 ?AN2-2 ?R ?AN2-2 ?R ?N1-2 ?N1-3 ?AN1-2 ?AN1-1
  CRC S 9 AN2-2 =N|Y AN2-3 ?AN2-3 ?AN2-3 ?AN2-3 ?AN2-3
  CL1 S 1 ?AN1-1 ?AN1-1 ?AN1-2 ?AN1-1
  CR1 S 1 ?=LB ?R ?AN1-1 ?AN1-1 ?AN2-2 ?R ?AN1-55 ?AN1-55 ?AN1-80 ?AN1-80
  CR2 S 1 ?N1-9 ?R ?AN2-3 ?AN2-3 ?AN2-2 ?R ?R ?AN1-1 ?AN1-1 ?AN1-80 ?AN1-80 ?AN1-1
  CR5 S 1 ?AN1-1 ?R ?AN1-1 ?AN1-1 ?AN1-80 ?R ?R ?R ?AN1-80 ?R ?R ?AN1-1 ?AN1-1 ?AN1-1 ?AN1-1 ?R ?AN1-1 ?AN1-1
  CR6 S 1 AN1-1 D8 ?AN2-3 ?AN1-35 ?D8 ?AN1-1 ?AN1-1 =I|R|S
  PWK S 10 AN2-2 =AA|BM|EL|EM|FX|VO ?- ?- ?=AC ?AN2-80 ?AN1-80 P5,6
  MSG S 1 AN1-264
  LOOP 2010EA S 14
    NM1 R 1 =1T|71|72|73|77|AAJ|DD|DK|DN|DQ|FA|G3|P3|QB|QV|SJ|FS|ND|PW|R3|45|98|L5 =1|2 {_NAME} ?=24|34|46|XX ?AN2-80 P8,9
    REF S 7 AN2-3 AN1-50 ?AN1-80
    N3 S 1 AN1-55 ?AN1-55
    N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
    PER S 1 =IC ?AN1-60 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256
    {_AAA}
    PRV S 1 AN1-3 =PXC AN1-50
{_at(_SERVICE, 2)}
"""

GUIDE = f"""
ST R 1 =278 AN4-9 AN1-35
BHT R 1 =0007 =01|11|13|36 AN1-50 D8 TM ?=18|19|AT|RU
LOOP 2000A R 1
  HL R 1 N1-12 - =20 =1
  {_AAA}
  LOOP 2010A R 1
    NM1 R 1 =2B|36|PR|X3 =1|2 {_NAME} =24|34|46|PI|XV|XX AN2-80
    PER S 1 =IC ?AN1-60 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256
    {_AAA}
  LOOP 2000B R 1
    HL R 1 N1-12 N1-12 =21 =0|1
    LOOP 2010B R 2
      NM1 R 1 =1P|2B|36|80|FA|PR|X3 =1|2 {_NAME} =24|34|46|PI|XV|XX AN2-80
      REF S 8 AN2-3 AN1-50 ?AN1-80
      N3 S 1 AN1-55 ?AN1-55
      N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3
      PER S 1 =IC ?AN1-60 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256
      {_AAA}
      PRV S 1 AN1-3 =PXC AN1-50
    LOOP 2000C S 1
      HL R 1 N1-12 N1-12 =22 =0|1
      LOOP 2010C R 1
        NM1 R 1 =IL =1|2 {_NAME} =II|MI AN2-80
        REF S 9 AN2-3 AN1-50 ?AN1-80
{_at(_ADDRESS, 8)}
        {_AAA}
        DMG S 1 =D8 D8 ?=F|M|U
        INS S 1 =Y AN2-2 ?- ?- ?- ?- ?- ?AN2-2
{_at(_EVENT, 6)}
      LOOP 2000D S 1
        HL R 1 N1-12 N1-12 =23 =0|1
        LOOP 2010D R 1
          NM1 R 1 =QC =1 {_NAME}
          REF S 3 AN2-3 AN1-50 ?AN1-80
{_at(_ADDRESS, 10)}
          {_AAA}
          DMG S 1 =D8 D8 ?=F|M|U
          INS S 1 =N AN2-2 ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?N1-9
{_at(_EVENT, 8)}
SE R 1 N1-10 AN4-9
"""
