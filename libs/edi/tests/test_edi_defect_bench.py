"""The defect bench: every planted defect is found under its rule, level and code; clean files are silent."""

from datetime import date

import pytest
from edi_bases import BASES
from edi_samples import npi
from revcycle_edi.x12 import ValidationContext, validate


def _known(system: str, code: str, served: date) -> bool:
    """A code set in which one synthetic diagnosis and one synthetic procedure ended before 2026."""
    return (system, code) not in (("ICD10", "Z9999"), ("HCPCS", "X0001")) or served < date(2026, 1, 1)


CONTEXT = ValidationContext(today=date(2026, 6, 30), code_check=_known)
GOOD = npi("123456789")
BAD = GOOD[:-1] + str((int(GOOD[-1]) + 1) % 10)
SITE = npi("145678901")
SBR = "SBR*P*18*GRP1******CI"
TWO_LINES = "SV1*HC:G0463*150*UN*1***1~DTP*472*D8*20260501~REF*6R*1~LX*2"

# (base, text replaced once, replacement, rule, answer, code)
DEFECTS: list[tuple[str, str, str, str, str, str]] = [
    # Envelope
    ("837P", "IEA*1*", "IEA*2*", "ta1.iea.count", "ta1", "021"),
    ("837P", "IEA*1*000000017", "IEA*1*000000018", "ta1.iea.control", "ta1", "001"),
    ("837P", "*00501*", "*00401*", "ta1.isa", "ta1", "017"),
    ("837P", "*0*T*:", "*7*T*:", "ta1.isa", "ta1", "019"),
    ("837P", "*0*T*:", "*0*X*:", "ta1.isa", "ta1", "020"),
    ("837P", "*ZZ*REVCYCLE ", "*XX*REVCYCLE ", "ta1.isa", "ta1", "005"),
    ("837P", "GE*1*17", "GE*2*17", "999.ge.count", "999", "AK905:5"),
    ("837P", "GE*1*17", "GE*1*18", "999.ge.control", "999", "AK905:4"),
    ("837P", "GE*1*17~", "", "999.ge.missing", "999", "AK905:3"),
    ("837P", "GS*HC*", "GS*HP*", "999.gs.functional", "999", "AK905:1"),
    ("837P", "*0001*005010X222A1", "*0001*005010X223A2", "999.st.version", "999", "IK502:I6"),
    ("837P", "SE*", "SE*1", "999.se.count", "999", "IK502:4"),
    ("837P", "*0001~GE", "*0002~GE", "999.se.control", "999", "IK502:3"),
    ("835", "SE*40*0001~", "", "999.se.missing", "999", "IK502:2"),
    # 837P: the guide
    ("837P", "HL*2*1*22", "HL*2*7*22", "999.hl.parent", "999", "IK403:7"),
    ("837P", "HL*2*1*22", "HL*5*1*22", "999.hl.sequence", "999", "IK403:7"),
    ("837P", "LX*2~", "LX*3~", "999.lx", "999", "IK403:7"),
    ("837P", "BHT*0019*00", "BHT*0019*77", "999.element.7", "999", "IK403:7"),
    ("837P", "NM1*40*2*TEST PAYER*****46*TESTPAYER~", "", "999.segment.i7", "999", "IK304:I7"),
    ("837P", "N3*1 TEST STREET~N4", "N4", "999.segment.3", "999", "IK304:3"),
    ("837P", "REF*EI*123456789~", "", "999.segment.3", "999", "IK304:3"),
    ("837P", "HI*ABK:E119*ABF:I10~", "", "999.segment.3", "999", "IK304:3"),
    ("837P", "HI*ABK:E119", "HI*ABK:E119~HI*ABK:E119", "999.segment.5", "999", "IK304:5"),
    ("837P", "CLM*TEST-1*", "ZZZ*1~CLM*TEST-1*", "999.segment.1", "999", "IK304:1"),
    ("837P", "DTP*472*D8*20260501~", "", "999.segment.3", "999", "IK304:3"),
    ("837P", "DTP*472*D8*20260501", "DTP*472*D8*20260230", "999.element.8", "999", "IK403:8"),
    ("837P", "DTP*472*D8*", "DTP*472*RD8*", "999.element.8", "999", "IK403:8"),
    ("837P", "DTP*472*D8*20260501", "DTP*472*D8*20260501~DTP*999*D8*20260501", "999.segment.2", "999", "IK304:2"),
    ("837P", "SV1*HC:G0463*150*UN", "SV1*HC:G0463*150*XX", "999.element.7", "999", "IK403:7"),
    ("837P", "SV1*HC:G0463*150*", "SV1*HC:G0463*ABC*", "999.element.6", "999", "IK403:6"),
    ("837P", "SV1*HC:G0463*150*", "SV1*HC:G0463**", "999.element.1", "999", "IK403:1"),
    ("837P", "CLM*TEST-1*175.5***11:B:1*Y", "CLM*TEST-1*175.5***11:B:1*", "999.element.1", "999", "IK403:1"),
    ("837P", "CLM*TEST-1*175.5***", "CLM*TEST-1*175.5*X**", "999.element.i10", "999", "IK403:I10"),
    ("837P", "N4*TESTVILLE*TX", "N4*TESTVILLE*TEX", "999.element.5", "999", "IK403:5"),
    ("837P", "N4*TESTVILLE*TX", "N4*T*TX", "999.element.4", "999", "IK403:4"),
    ("837P", "PRV*BI*PXC*207Q00000X", "PRV*BI*PXC*207Q00000X*A*B*C*D", "999.element.3", "999", "IK403:3"),
    ("837P", "*MI*TEST0001", "**TEST0001", "999.element.2", "999", "IK403:2"),
    ("837P", "DMG*D8*19800102*F", "DMG*D8*19800102*Q", "999.element.7", "999", "IK403:7"),
    ("837P", "NM1*PR*2*TEST PAYER*****PI*TESTPAYER~", "", "999.segment.i7", "999", "IK304:I7"),
    (
        "837P",
        "BHT*0019*00*B000017*20260601*1230",
        "BHT*0019*00*B000017*20260601*2530",
        "999.element.9",
        "999",
        "IK403:9",
    ),
    # 837P: balancing, situations, codes
    ("837P", "CLM*TEST-1*175.5", "CLM*TEST-1*175.51", "837.clm02.balance", "277ca", "A7:400"),
    ("837P", f"*XX*{GOOD}", f"*XX*{BAD}", "837.npi", "277ca", "A7:562:85"),
    ("837P", f"*XX*{npi('156789012')}", "*XX*1000000000", "837.npi", "277ca", "A7:562:82"),
    ("837P", f"*XX*{SITE}", "*XX*1000000000", "837.npi", "277ca", "A7:562:77"),
    ("837P", "***1~DTP*472", "***3~DTP*472", "837.pointer", "277ca", "A7:477"),
    ("837P", "***2:1~DTP*472", "***2:2~DTP*472", "837.pointer.duplicate", "277ca", "A7:477"),
    ("837P", "CLM*TEST-2*", "CLM*TEST-1*", "837.clm01.duplicate", "277ca", "A7:54"),
    ("837P", "CLM*TEST-1*", "CLM*TEST-1-THAT-IS-FAR-TOO-LONG*", "837.clm01.long", "277ca", "A7:478"),
    ("837P", "N3*1 TEST STREET", "N3*PO BOX 7", "837.billing.pobox", "277ca", "A7:503:85"),
    ("837P", "N3*1 TEST STREET", "N3*P.O. BOX 7", "837.billing.pobox", "277ca", "A7:503:85"),
    ("837P", "N4*TESTVILLE*TX*787010001", "N4*TESTVILLE*TX*78701", "837.zip9", "277ca", "A7:500:85"),
    ("837P", SBR, SBR.replace("*18*", "**"), "837.sbr02.blank", "277ca", "A7:732"),
    ("837P", "SBR*P**GRP1******CI", SBR, "837.sbr02.self", "277ca", "A7:732"),
    ("837P", "HI*ABK:E119*ABF:I10", "HI*BK:25000*BF:4019", "837.icd9", "277ca", "A7:255"),
    ("837P", "HI*ABK:E119*ABF:I10", "HI*ABK:E119*ABF:E119", "837.dx.duplicate", "277ca", "A7:255"),
    ("837P", "HI*ABK:E119", "HI*ABK:ZZZ99", "837.dx.format", "277ca", "A7:255"),
    ("837P", "HI*ABK:E119", "HI*ABK:Z9999", "837.dx.code", "277ca", "A7:255"),
    ("837P", "SV1*HC:G0463", "SV1*HC:0000X", "837.procedure.format", "277ca", "A7:507"),
    ("837P", "SV1*HC:G0463", "SV1*HC:X0001", "837.procedure.code", "277ca", "A7:507"),
    ("837P", "DTP*472*D8*20260501", "DTP*472*D8*20270501", "837.date.future", "277ca", "A7:510"),
    ("837P", "DTP*472*D8*20260501", "DTP*472*RD8*20260502-20260501", "837.period", "277ca", "A7:187"),
    ("837P", "DMG*D8*19800102", "DMG*D8*20800102", "837.birth.future", "277ca", "A7:158:QC"),
    ("837P", "SBR*P*18*GRP1", "SBR*S*18*GRP1", "837.secondary", "277ca", "A6:171"),
    ("837P", "REF*F8*PAYER0001~", "", "837.f8", "277ca", "A6:464"),
    ("837P", "***11:B:7*", "***11:B:1*", "837.f8.original", "277ca", "A7:535"),
    ("837P", "***11:B:1*Y", "***98:B:1*Y", "837.pos", "277ca", "A7:249"),
    ("837P", "DTP*439*D8*20260430~", "", "837.accident.date", "277ca", "A6:732"),
    ("837P", "AA:::TX", "AA", "837.accident.state", "277ca", "A6:732"),
    ("837P", "REF*6R*2", "REF*6R*1", "837.6r.duplicate", "277ca", "A7:732"),
    ("837P", "SV1*HC:G0463*150*UN*1*", "SV1*HC:G0463*150*UN*0*", "837.units", "277ca", "A7:476"),
    ("837P", "REF*X4*11D1234567", "REF*X4*11X1234567", "837.clia", "277ca", "A7:630"),
    ("837P", "REF*EI*123456789", "REF*EI*12-3456789", "837.taxid", "277ca", "A7:128:85"),
    ("837P", "PRV*BI*PXC*207Q00000X", "PRV*BI*PXC*207Q", "837.taxonomy", "277ca", "A7:145"),
    ("837P", "LIN**N4*12345678901", "LIN**N4*1234-5678-90", "837.ndc", "277ca", "A7:218"),
    ("837P", "SVD*FIRST*100*", "SVD*OTHER*100*", "837.svd.payer", "277ca", "A8:672"),
    ("837P", "CAS*CO*45*50", "CAS*CO*45*49", "837.cob.line", "277ca", "A7:672"),
    ("837P", "AMT*D*100", "AMT*D*99", "837.cob.claim", "277ca", "A7:672"),
    ("837P", "CAS*CO*45*50", "CAS*CO*9999*50", "837.carc", "277ca", "A7:521"),
    ("837P", "CAS*CO*45*50", "CAS*CO*45", "999.element.1", "999", "IK403:1"),
    ("837P", "SV1*HC:G0463:25*", "SV1*HC:G0463:25:25*", "837.modifier.duplicate", "277ca", "A7:453"),
    # 837I and 837D
    ("837I", "CLM*INST-1*500", "CLM*INST-1*501", "837.clm02.balance", "277ca", "A7:400"),
    ("837I", "SV2*0510*", "SV2*0001*", "837I.revenue", "277ca", "A7:455"),
    ("837I", "DTP*472*D8*20260502", "DTP*472*D8*20260601", "837I.statement", "277ca", "A7:188"),
    ("837I", "DTP*434*RD8*20260501-20260502~", "", "999.segment.3", "999", "IK304:3"),
    ("837I", "CL1*1*1*01~", "", "999.segment.3", "999", "IK304:3"),
    ("837I", "HI*ABK:E119:::::::Y", "HI*ABK:E119:::::::Q", "999.element.7", "999", "IK403:7"),
    ("837I", "***13:A:1**A", "***13:B:1**A", "999.element.7", "999", "IK403:7"),
    ("837I", "LX*2~", "LX*7~", "999.lx", "999", "IK403:7"),
    ("837D", "SV3*AD:D9999*90", "SV3*AD:D9999*91", "837.clm02.balance", "277ca", "A7:400"),
    ("837D", "TOO*JP*12", "TOO*XX*12", "999.element.7", "999", "IK403:7"),
    ("837D", "***11:B:1*Y", "***11:B:3*Y", "999.element.7", "999", "IK403:7"),
    # 835
    ("835", "BPR*I*150*", "BPR*I*151*", "835.balance.transaction", "internal", ""),
    ("835", "SVC*HC:G0463*150*130", "SVC*HC:G0463*150*131", "835.balance.line", "internal", ""),
    ("835", "*1*200*164*16*", "*1*200*165*16*", "835.balance.claim", "internal", ""),
    ("835", "*1*200*164*16*", "*1*200*164*17*", "835.balance.patient", "internal", ""),
    ("835", "CAS*CO*45*10~CAS*PR*1*10", "CAS*CO*9999*10~CAS*PR*1*10", "835.carc", "internal", ""),
    ("835", "CAS*CO*45*10~CAS*PR*1*10", "CAS*CO*45~CAS*PR*1*10", "999.element.1", "999", "IK403:1"),
    ("835", "CAS*CO*197*75", "CAS*CO*197*75**45", "999.element.2", "999", "IK403:2"),
    ("835", "*01*011000028*DA*654321*", "*****", "835.bpr.ach", "999", "IK403:2"),
    ("835", "*C*ACH*", "*C*NON*", "835.bpr.non", "internal", ""),
    ("835", "*20260610~", "~", "999.element.1", "999", "IK403:1"),
    ("835", "TRN*1*EFT0001*1999999999~", "", "999.segment.3", "999", "IK304:3"),
    ("835", "TRN*1*EFT0001*1999999999", "TRN*1*EFT0001*7999999999", "835.trn03", "internal", ""),
    ("835", "PER*BL*EDI DESK*TE*5550100001~", "", "999.segment.3", "999", "IK304:3"),
    ("835", "CLP*TEST-2*4*75*0**", "CLP*TEST-2*22*75*0*1*", "835.reversal.clp05", "internal", ""),
    ("835", f"*XX*{GOOD}", f"*XX*{BAD}", "835.npi", "internal", ""),
    ("835", "CLP*TEST-1*1*", "CLP*TEST-1*9*", "999.element.7", "999", "IK403:7"),
    ("835", "*WO:PAYER0009*14", "*WO:PAYER0009*14*WO:X", "835.plb.pair", "999", "IK403:2"),
    ("835", "LX*1~", "", "999.segment.7", "999", "IK304:7"),
    # Eligibility
    ("270", "EQ*30", "EQ*", "999.element.2", "999", "IK403:2"),
    ("270", "HL*3*2*22*0", "HL*3*1*99*0", "999.segment.2", "999", "IK304:2"),
    ("270", "DMG*D8*19800102*F", "DMG*D8*19801302*F", "999.element.8", "999", "IK403:8"),
    ("270", f"*XX*{GOOD}", f"*XX*{BAD}", "x12.npi", "internal", ""),
    ("271", "EB*1**30", "EB*11**30", "999.element.7", "999", "IK403:7"),
    ("271", "*23*500.25", "*23*500.25*.2", "271.eb", "internal", ""),
    ("271", "DTP*292*RD8*20260101-20261231", "DTP*292*RD8*20260101", "999.element.8", "999", "IK403:8"),
    # Status
    ("276", "HL*4*3*22*0", "HL*4*9*22*0", "999.hl.parent", "999", "IK403:7"),
    ("276", "TRN*1*T2", "TRN*1*T1", "x12.trn.duplicate", "internal", ""),
    ("276", "AMT*T3*175.5", "AMT*T3*1,75", "999.element.6", "999", "IK403:6"),
    ("277", "STC*F1:65*20260610**", "STC*Q9:65*20260610**", "x12.stc.category", "internal", ""),
    ("277", "STC*F1:65*20260610**175.5*", "STC**20260610**175.5*", "999.element.1", "999", "IK403:1"),
    ("277CA", "QTY*90*1", "QTY*90*2", "277ca.totals", "internal", ""),
    ("277CA", "STC*A7:562:85*20260601*U", "STC*A7:562:85*20260601*WQ", "277ca.action", "internal", ""),
    ("277CA", "STC*A2:20:PR*20260601*WQ", "STC*A2:20:PR*20260601*XX", "999.element.7", "999", "IK403:7"),
    ("277CA", "TRN*2*TEST-1~", "", "999.segment.7", "999", "IK304:7"),
    # Acknowledgment, authorization, attachment, request
    ("999", "AK9*P*2*2*1", "AK9*A*2*2*1", "999.verdict", "internal", ""),
    ("999", "AK9*P*2*2*1", "AK9*P*2*2*0", "999.totals", "internal", ""),
    ("999", "IK5*R*5", "IK5*Z*5", "999.element.7", "999", "IK403:7"),
    ("999", "IK3*CLM*22*2300*8", "IK3*CLM*22*2300*99", "999.element.7", "999", "IK403:7"),
    ("278", "UM*HS*I*1*11:B~", "", "999.segment.3", "999", "IK304:3"),
    ("278", "HL*5*4*SS*0", "HL*5*3*SS*0", "999.hl.parent", "999", "IK403:7"),
    ("278", "UM*HS*", "UM*XX*", "999.element.7", "999", "IK403:7"),
    ("275", "OOI*1~", "", "999.segment.7", "999", "IK304:7"),
    ("275", "BGN*02*", "BGN*99*", "999.element.7", "999", "IK403:7"),
    ("275", "REF*EJ*TEST-1~", "", "999.segment.3", "999", "IK304:3"),
    ("277RFAI", "STC*R4:11506-3::LOI", "STC*R4:11506-3::XXX", "999.element.7", "999", "IK403:7"),
    ("277RFAI", "TRN*1*PAYERTRACE1~", "", "999.segment.7", "999", "IK304:7"),
    # What front-end edits refuse beyond that
    ("837P", "*260601*1230*^", "*261301*1230*^", "ta1.isa", "ta1", "014"),
    ("837P", "*260601*1230*^", "*260601*2530*^", "ta1.isa", "ta1", "015"),
    ("837P", "*20260601*123005*", "*20261301*123005*", "999.gs.date", "999", "AK905:6"),
    ("837P", "HL*2*1*22*0", "HL*2*1*22*1", "999.hl.child", "999", "IK403:7"),
    ("837P", "HL*3*1*22*1", "HL*3*1*22*0", "999.hl.child", "999", "IK403:7"),
    ("837P", "UN*1***1~", "UN*1~", "999.element.1", "999", "IK403:1"),
    ("837P", "***11:B:1*Y", "***1:B:1*Y", "999.element.4", "999", "IK403:4"),
    ("837P", "REF*6R*1~", "REF*6R*1~REF*6R*9~", "999.segment.5", "999", "IK304:5"),
    ("837P", "NM1*82*1*SAMPLE*DOC", "NM1*82*1**DOC", "999.element.1", "999", "IK403:1"),
    ("837P", "N3*1 TEST STREET", "N3*POB 12", "837.billing.pobox", "277ca", "A7:503:85"),
    ("837P", "N3*1 TEST STREET", "N3*1 TEST STREET*PO BOX12", "837.billing.pobox", "277ca", "A7:503:85"),
    ("837P", "N4*TESTVILLE*TX*", "N4*TESTVILLE*ZZ*", "837.state", "277ca", "A7:501"),
    ("837P", "DMG*D8*19800102", "DMG*D8*20260601", "837.birth.service", "277ca", "A8:158:QC"),
    ("837P", "UN*1***1~", "UN*1*98**1~", "837.pos", "277ca", "A7:249"),
    ("837P", "SV1*HC:G0463*150*", "SV1*HC:G0463*-150*", "837.charge.negative", "277ca", "A7:178"),
    ("837P", "DTP*573*D8*20260520", "DTP*573*D8*20270520", "837.date.future", "277ca", "A7:510"),
    ("837P", "CAS*CO*45*50", "CAS*CO*45*25**45*25", "837.cas.repeated", "277ca", "A7:521"),
    ("837P", "SBR*S*18", "SBR*P*18", "837.sbr01.duplicate", "277ca", "A7:732"),
    ("837I", "***13:A:1**A", "***11:A:1**A", "837I.admission.date", "277ca", "A6:189"),
    ("837I", "***13:A:1**A", "***11:A:1**A", "837I.admitting", "277ca", "A6:232"),
    ("837I", "CL1*1*1*01", "CL1*8*1*01", "837I.admission.type", "277ca", "A7:231"),
    ("837I", "CL1*1*1*01", "CL1*1*Z*01", "837I.admission.source", "277ca", "A7:229"),
    ("837I", "CL1*1*1*01", "CL1*1*1*99", "837I.patient.status", "277ca", "A7:234"),
    ("837I", "CL1*1*1*01", "CL1*1*1*30", "837I.status.original", "277ca", "A8:234"),
    ("837I", "***13:A:1**A*Y*Y~", "***13:A:2**A*Y*Y~DTP*096*TM*1200~", "837I.interim.discharge", "277ca", "A8:233"),
    ("837I", "HI*BH:11:D8:20260501", "HI*BH:11:D8:20260501*BH:11:D8:20260501", "837I.hi.duplicate", "277ca", "A7:461"),
    ("837I", "HI*BE:80:::1", "HI*BE:80:::1*BE:80:::2", "837I.hi.duplicate", "277ca", "A7:463"),
    ("835", "LQ*HE*N130", "LQ*HE*ZZZZ", "835.rarc", "internal", ""),
    ("835", "MOA***MA01", "MOA***9", "835.rarc", "internal", ""),
    ("835", "CLP*TEST-1*1*200", "CLP*TEST-1*4*200", "835.denied.paid", "internal", ""),
    ("835", "CAS*CO*45*10~CAS*PR*1*10", "CAS*CO*45*5**45*5~CAS*PR*1*10", "835.cas.repeated", "internal", ""),
    ("835", "*WO:PAYER0009*14", "*W9:PAYER0009*14", "999.element.7", "999", "IK403:7"),
    ("270", "DMG*D8*19800102*F", "DMG*D8*20280102*F", "x12.birth.future", "internal", ""),
    ("270", "DTP*291*D8*20260601", "DTP*291*RD8*20260601-20260501", "x12.period", "internal", ""),
    ("276", "DTP*472*D8*20260501", "DTP*472*RD8*20260501-20260401", "x12.period", "internal", ""),
    ("277", "DTP*472*D8*20260501", "DTP*472*RD8*20260501-20260401", "x12.period", "internal", ""),
    ("270", "HL*3*2*22*0", "HL*3*1*22*0", "999.hl.parent", "999", "IK403:7"),
    ("271", "*23*500.25", "*99*500.25", "999.element.7", "999", "IK403:7"),
    ("271", "*****.2", "*****20", "271.percent", "internal", ""),
    ("271", "LS*2120", "LS*2130", "999.element.7", "999", "IK403:7"),
    ("276", "DTP*472*D8*2026", "DTP*472*D8*2036", "x12.date.future", "internal", ""),
    ("277", "STC*F1:65*20260610**", "STC*F1:9999*20260610**", "x12.stc.status", "internal", ""),
    ("277CA", "AMT*YU*", "AMT*YU*1", "277ca.amounts", "internal", ""),
    ("999", "AK9*P*2*2*1", "AK9*P*3*2*1", "999.totals", "internal", ""),
    ("278", "~HI*", "~HI*ZZ", "999.segment.2", "999", "IK304:2"),
    ("275", "LX*1", "LX*2", "999.lx", "999", "IK403:7"),
]


@pytest.mark.parametrize("name", BASES)
def test_a_clean_interchange_of_every_guide_has_no_finding(name: str) -> None:
    assert validate(BASES[name](), context=CONTEXT) == []


@pytest.mark.parametrize("defect", DEFECTS, ids=[f"{n:03d}-{d[0]}-{d[3]}" for n, d in enumerate(DEFECTS)])
def test_every_planted_defect_is_found_with_rule_level_and_code(defect: tuple[str, str, str, str, str, str]) -> None:
    base, old, new, rule, answer, code = defect
    data = BASES[base]().decode()
    assert old in data, "the base no longer holds what the defect replaces"
    findings = validate(data.replace(old, new, 1).encode(), context=CONTEXT)
    found = [f for f in findings if f.rule == rule and f.answer == answer and (not code or code in f.answer_codes)]
    assert found, [f"{f.rule} {f.answer} {f.answer_codes}" for f in findings]
    assert found[0].expected and found[0].message and found[0].segment_number > 0


def test_the_bench_is_large_and_spans_every_guide() -> None:
    assert len(DEFECTS) >= 180
    assert {d[0] for d in DEFECTS} == set(BASES)
