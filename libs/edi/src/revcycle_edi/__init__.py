"""Pure codecs for X12, HL7 v2 and paper claim forms."""
