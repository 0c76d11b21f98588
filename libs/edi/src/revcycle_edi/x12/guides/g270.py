# ruff: noqa: E501 - one line of the table is one segment of the guide
"""005010X279A1, eligibility inquiry (270) and answer (271)."""

_NAME = "?AN1-60 ?AN1-35 ?AN1-25 - ?AN1-10"
_ADDRESS = """
N3 S 1 AN1-55 ?AN1-55
N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3 ?- ?AN1-2 ?AN1-30
"""
_PROCEDURE = "(=AD|CJ|HC|ID|IV|N4|ZZ,AN1-48,?AN2-2,?AN2-2,?AN2-2,?AN2-2)"
_DATES = "DTP S 9 AN3-3 DTP:D8|RD8"


def _at(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.splitlines() if line.strip())


_ASK_PERSON = f"""
REF S 9 AN2-3 AN1-50 ?AN1-80
{_ADDRESS}
PRV S 1 =AD|AT|BI|CO|CV|H|HH|LA|OT|P1|P2|PC|PE|R|RF|SK|SU ?=PXC|HPI ?AN1-50
DMG S 1 ?=D8 ?D8 ?=F|M P1,2
INS S 1 =Y|N AN2-2 ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?N1-9
HI S 1 (=ABK|BK,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30)
DTP S 2 =102|291 DTP:D8|RD8
"""
_ASK_BENEFIT = f"""
LOOP 2110C S 99
  EQ R 1 ?+AN1-2 ?{_PROCEDURE} ?AN3-3 - ?(AN1-2,?AN1-2,?AN1-2,?AN1-2) A1,2
  AMT S 2 =R|PB R
  III S 1 =ZZ AN1-30
  REF S 1 =9F|G1 AN1-50
  DTP S 1 =291 DTP:D8|RD8
"""
_TRACE = "TRN S 9 =1|2 AN1-50 AN10-10 ?AN1-50"

GUIDE = f"""
ST R 1 =270 AN4-9 AN1-35
BHT R 1 =0022 =01|13 ?AN1-50 D8 TM ?=RT
LOOP 2000A R *
  HL R 1 N1-12 - =20 =1
  LOOP 2100A R 1
    NM1 R 1 =2B|36|GP|P5|PR =1|2 {_NAME} =24|46|FI|NI|PI|XV|XX AN2-80
  LOOP 2000B R *
    HL R 1 N1-12 N1-12 =21 =1
    LOOP 2100B R 1
      NM1 R 1 =1P|2B|36|80|FA|GP|P5|PR =1|2 {_NAME} =24|34|FI|PI|PP|SV|XV|XX AN2-80
      REF S 9 AN2-3 AN1-50 ?AN1-80
      {_ADDRESS.strip().splitlines()[0]}
      {_ADDRESS.strip().splitlines()[1]}
      PRV S 1 =AD|AT|BI|CO|CV|H|HH|LA|OT|P1|P2|PC|PE|R|RF|SB|SK|SU ?=PXC ?AN1-50
    LOOP 2000C R *
      HL R 1 N1-12 N1-12 =22 =0|1
      {_TRACE}
      LOOP 2100C R 1
        NM1 R 1 =IL =1|2 {_NAME} ?=II|MI ?AN2-80 P8,9
{_at(_ASK_PERSON, 8)}
{_at(_ASK_BENEFIT, 8)}
      LOOP 2000D S *
        HL R 1 N1-12 N1-12 =23 ?=0
        {_TRACE}
        LOOP 2100D R 1
          NM1 R 1 =03 =1 {_NAME}
{_at(_ASK_PERSON, 10)}
{_at(_ASK_BENEFIT.replace("2110C", "2110D"), 10)}
SE R 1 N1-10 AN4-9
"""

_AAA = "AAA S 9 =N|Y - AN2-2 =C|N|P|R|S|W|X|Y"
_TOLD_PERSON = f"""
REF S 9 AN2-3 AN1-50 ?AN1-80
{_ADDRESS}
{_AAA}
PRV S 1 =AD|AT|BI|CO|CV|H|HH|LA|OT|P1|P2|PC|PE|R|RF|SK|SU ?=PXC|HPI ?AN1-50
DMG S 1 ?=D8 ?D8 ?=F|M|U P1,2
INS S 1 =Y|N AN2-2 ?AN3-3 ?AN2-3 ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?- ?N1-9
HI S 1 (=ABK|BK,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30) ?(=ABF|BF,AN1-30)
{_DATES}
MPI S 1 AN1-1 AN1-2 AN1-1 ?AN1-80 ?AN2-2 ?AN2-3 ?AN1-35 P6,7
"""
_EB01 = "=1|2|3|4|5|6|7|8|A|B|C|CB|D|E|F|G|H|I|J|K|L|M|MC|N|O|P|Q|R|S|T|U|V|W|X|Y"
_TOLD_BENEFIT = f"""
LOOP 2110C S *
  EB R 1 {_EB01} ?=CHD|DEP|ECH|EMP|ESP|FAM|IND|SPC|SPO ?+AN1-2 ?AN1-3 ?AN1-50 ?=6|7|13|21|22|23|24|25|26|27|28|29|30|31|32|33|34|35|36 ?R ?R ?AN2-2 ?R ?=N|U|Y ?=N|U|W|Y ?{_PROCEDURE} ?(AN1-2,?AN1-2,?AN1-2,?AN1-2) P9,10
  HSD S 9 ?AN2-2 ?R ?AN2-2 ?R ?N1-2 ?N1-3 ?AN1-2 ?AN1-1 P1,2
  REF S 9 AN2-3 AN1-50 ?AN1-80
  DTP S 20 AN3-3 DTP:D8|RD8
  {_AAA}
  MSG S 10 AN1-264
  LOOP 2115C S 10
    III R 1 ?=GR|NI|ZZ ?AN1-30 ?AN2-2 ?AN1-264
  LS S 1 =2120
  LOOP 2120C S 23
    NM1 R 1 =13|1I|1P|2B|36|73|FA|GP|GW|I3|IL|LR|OC|P3|P4|P5|PR|PRP|SEP|TTP|VER|VN|VY|X3|Y2 =1|2 {_NAME} ?=24|34|46|FA|FI|II|MI|NI|PI|PP|SV|XV|XX ?AN2-80 P8,9
    N3 S 1 AN1-55 ?AN1-55
    N4 S 1 AN2-30 ?AN2-2 ?AN3-15 ?AN2-3 ?- ?AN1-2 ?AN1-30
    PER S 3 =IC ?AN1-60 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 ?AN2-2 ?AN1-256 P3,4 P5,6 P7,8
    PRV S 1 AN1-3 ?=PXC ?AN1-50
  LE S 1 =2120
"""

ANSWER = f"""
ST R 1 =271 AN4-9 AN1-35
BHT R 1 =0022 =06|11 ?AN1-50 D8 TM
LOOP 2000A R *
  HL R 1 N1-12 - =20 =0|1
  {_AAA}
  LOOP 2100A R 1
    NM1 R 1 =2B|36|GP|P5|PR =1|2 {_NAME} =24|46|FI|NI|PI|XV|XX AN2-80
    PER S 3 =IC ?AN1-60 ?=ED|EM|FX|TE|UR ?AN1-256 ?=ED|EM|EX|FX|TE|UR ?AN1-256 ?=ED|EM|EX|FX|TE|UR ?AN1-256 P3,4 P5,6 P7,8
    {_AAA}
  LOOP 2000B S *
    HL R 1 N1-12 N1-12 =21 =0|1
    LOOP 2100B R 1
      NM1 R 1 =1P|2B|36|80|FA|GP|P5|PR =1|2 {_NAME} ?=24|34|FA|FI|PI|PP|SV|XV|XX ?AN2-80 P8,9
      REF S 9 AN2-3 AN1-50 ?AN1-80
      {_ADDRESS.strip().splitlines()[0]}
      {_ADDRESS.strip().splitlines()[1]}
      {_AAA}
      PRV S 1 =AD|AT|BI|CO|CV|H|HH|LA|OT|P1|P2|PC|PE|R|RF|SB|SK|SU ?=PXC ?AN1-50
    LOOP 2000C S *
      HL R 1 N1-12 N1-12 =22 =0|1
      {_TRACE}
      LOOP 2100C R 1
        NM1 R 1 =IL =1|2 {_NAME} ?=II|MI ?AN2-80 P8,9
{_at(_TOLD_PERSON, 8)}
{_at(_TOLD_BENEFIT, 8)}
      LOOP 2000D S *
        HL R 1 N1-12 N1-12 =23 ?=0
        {_TRACE}
        LOOP 2100D R 1
          NM1 R 1 =03 =1 {_NAME}
{_at(_TOLD_PERSON, 10)}
{_at(_TOLD_BENEFIT.replace("2110C", "2110D").replace("2115C", "2115D").replace("2120C", "2120D"), 10)}
SE R 1 N1-10 AN4-9
"""
