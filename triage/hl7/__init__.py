"""HL7 v2.5.1: results to the RIS, orders from it, over MLLP."""
