"""Forms as PDF: rules, box numbers and labels, and the values on the typewriter grid."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from reportlab.pdfgen.canvas import Canvas

from revcycle_edi.paper.layout import COLUMN_POINTS, LINE_POINTS, PAGE_POINTS, Box, Field, Form
from revcycle_edi.x12.errors import X12Error

_VALUE_FONT, _VALUE_POINTS = "Courier", 12.0
_LABEL_FONT, _LABEL_POINTS = "Helvetica", 4.6
_SMALLEST_POINTS = 5.0
_CHARACTER_WIDTH = 0.6  # Of the font size, in Courier.


def draw_form(form: Form, pages: Sequence[Mapping[str, str]]) -> bytes:
    """A PDF with one page per mapping of field names to values. The same values give the same bytes.

    X12Error when a page names a field the form does not have, or an identifier or amount does not fit its box.
    """
    known = {field.name: field for field in form.fields}
    out = BytesIO()
    canvas = Canvas(out, pagesize=PAGE_POINTS, invariant=1)
    canvas.setTitle(form.title)
    for values in pages:
        unknown = values.keys() - known.keys()
        if unknown:
            raise X12Error("paper.field", f"{form.title} has no field {min(unknown)}")
        _draw_boxes(canvas, form)
        for name, value in values.items():
            if value:
                _draw_value(canvas, form, known[name], value)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw_boxes(canvas: Canvas, form: Form) -> None:
    canvas.setLineWidth(0.4)
    canvas.setStrokeGray(0.35)
    canvas.setFillGray(0.25)
    canvas.setFont("Helvetica-Bold", 7)
    canvas.drawString(form.margin_points, PAGE_POINTS[1] - 9, form.title)
    for box in form.boxes:
        _draw_box(canvas, form, box)
    canvas.setFont(_LABEL_FONT, _LABEL_POINTS)
    for field in form.fields:
        x, y = form.position(field)
        if field.kind == "mark":
            canvas.rect(x - 0.8, y - 1.6, 8.8, 10)
            canvas.drawString(x + 9.4, y + 1, field.label)
        elif field.label:
            canvas.drawRightString(x - 2, y + 1, field.label)
    canvas.setFillGray(0)


def _draw_box(canvas: Canvas, form: Form, box: Box) -> None:
    x = form.margin_points + box.column * COLUMN_POINTS
    top = PAGE_POINTS[1] - box.line * LINE_POINTS
    width, height = box.columns * COLUMN_POINTS, box.lines * LINE_POINTS
    if box.shaded:
        canvas.setFillGray(0.92)
        canvas.rect(x, top - height, width, height, stroke=1, fill=1)
        canvas.setFillGray(0.25)
    else:
        canvas.rect(x, top - height, width, height)
    text = f"{box.number} {box.label}".strip()
    if text:
        canvas.setFont(_LABEL_FONT, _LABEL_POINTS)
        canvas.drawString(x + 1.5, top - _LABEL_POINTS - 0.6, text)


def _draw_value(canvas: Canvas, form: Form, field: Field, value: str) -> None:
    x, y = form.position(field)
    points = _VALUE_POINTS
    if field.kind == "text":
        value = value[: field.columns].rstrip()
    elif len(value) > field.columns:
        points = _VALUE_POINTS * field.columns / len(value)
        if points < _SMALLEST_POINTS:
            raise X12Error(
                "paper.long",
                f"the value of box {field.name} is too long for {form.title}",
                expected=f"at most {int(field.columns * _VALUE_POINTS / _SMALLEST_POINTS)} characters",
            )
    if field.kind == "amount":
        x += field.columns * COLUMN_POINTS - len(value) * points * _CHARACTER_WIDTH
    canvas.setFont(_VALUE_FONT, points)
    canvas.drawString(x, y, value)
