"""Paper claims as PDF, drawn from the same records as the 837: CMS-1500 (02/12) and UB-04.

The forms are ruled plainly with box numbers and short labels; payers that scan need the printed red form underneath.
"""

from revcycle_edi.paper.cms1500 import cms1500_pages, render_cms1500
from revcycle_edi.paper.cms1500_map import FORM as CMS1500
from revcycle_edi.paper.ub04 import render_ub04, ub04_pages
from revcycle_edi.paper.ub04_map import FORM as UB04

__all__ = ["CMS1500", "UB04", "cms1500_pages", "render_cms1500", "render_ub04", "ub04_pages"]
