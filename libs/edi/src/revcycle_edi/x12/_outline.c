/* Writes records as X12 segments, as an outline says (outlines.py has the language, this file only its steps).
 *
 * A record is written whole or not at all: whatever is not of the outlined shape, or holds a value that would have to be
 * changed by more than upper case and single spaces, ends the run in front of it, and the loop writers take the record
 * and say what is wrong with it. Nothing here raises for what a record holds.
 *
 * Every text that reaches the buffer is ASCII, and every character of it was checked against a table of the policy that
 * Python holds (writer.py), so no value can end a segment. Records are read at the offsets of their slots, and only
 * after their type was compared with the one the outline was made for. They are frozen, so what they hold lives as long
 * as they do, whatever the tables call meanwhile.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <datetime.h>
#include <string.h>

/* The language this file speaks; outlines.py uses no module that speaks another one. */
#define LANGUAGE 1

#define MAX_STEPS 4          /* of a path */
#define MAX_DEPTH 6          /* of lists within lists */
#define MAX_LEVELS 4         /* of HL within HL */
#define MAX_OPS 10000        /* of an outline, and steps of its paths */
#define MAX_TEXT 16          /* of a step: copied whole, which is faster than by its length */
#define MAX_BUFFER (1 << 30) /* bytes of one text */
#define MOST_CENTS 999999999999999999LL

enum kind {
    K_ABSENT,      /* a: fail if one of its fields holds anything */
    K_FAIL,        /* fail */
    K_IF,          /* test (low): unless it holds, skip so many steps */
    K_EACH,        /* a: the steps behind it for every item, one character between them, low to high items */
    K_TEXT,        /* from here on: text, and behind it nothing more */
    K_CODE,        /* a: an identifier of low to high characters; without one character */
    K_WORDS,       /* a: free text of low to high characters */
    K_CENTS,       /* a: an amount from low to high */
    K_DATE,        /* a: CCYYMMDD */
    K_POINTER,     /* a: a number from 1 to the length of b */
    K_NUMBER,      /* the number of the item in its list, from 1 */
    K_LEVEL,       /* a new HL at depth low: its number, and that of its parent unless it has none */
    K_LOOKUP,      /* a: what the table holds for it */
    K_SEGMENT_END, /* no empty elements at the end; the terminator */
    K_PARTS,       /* the start of a composite, behind text */
    K_PARTS_END,   /* no empty components at the end */
    K_ADJUSTMENTS, /* a: CAS segments, by the four steps behind it */
    KINDS
};

enum test { T_ANY, T_HOLDS, T_PRESENT, T_EQUALS, T_SAME, T_FIRST, TESTS };

enum { FAILED = -2, RAISED = -1, DONE = 0 };

typedef struct {
    PyTypeObject *type; /* NULL: an item of a tuple */
    Py_ssize_t at;      /* offset of the slot, or index of the item */
} Step;

typedef struct {
    signed char outer; /* how many lists outwards the path begins; -1: there is none */
    signed char steps;
    short fields; /* slots of the record at its end, looked at together; their steps stand behind those of the path */
    int first;    /* of its steps among those of the outline */
} Path;

typedef struct {
    unsigned char kind;
    unsigned char negated;
    unsigned char without; /* a character that is left out of a code, 0 for none */
    unsigned char between; /* a character between items, 0 for none */
    int skip;
    Path a, b;
    int size;
    char text[MAX_TEXT]; /* written before anything else */
    long long low, high;
    PyObject *object;
} Op;

typedef struct {
    PyObject_HEAD
    Op *ops;
    int count;
    Step *steps;
    int steps_made;
    PyObject *keep;    /* what the steps point into */
    PyObject *refused; /* the exception that tables refuse a value with */
    PyObject *nothing; /* (), which most absent fields hold */
    unsigned char code[256];
    unsigned char words[256];
} Outline;

typedef struct {
    char *text;
    Py_ssize_t size, room;
    Py_ssize_t segment, parts; /* where the open segment and composite begin */
    Py_ssize_t segments;
    long long levels;           /* HL written so far */
    long long open[MAX_LEVELS]; /* numbers of the HL that are open, by depth */
} Writer;

static int grow(Writer *w, Py_ssize_t more)
{
    if (more > MAX_BUFFER - w->size)
        return FAILED;
    Py_ssize_t room = w->room * 2 > w->size + more ? w->room * 2 : w->size + more;
    char *text = PyMem_Realloc(w->text, room);
    if (text == NULL) {
        PyErr_NoMemory();
        return RAISED;
    }
    w->text = text;
    w->room = room;
    return DONE;
}

#define RESERVE(w, more)                                         \
    do {                                                         \
        int reserved;                                            \
        if ((w)->room - (w)->size < (Py_ssize_t)(more) &&        \
            (reserved = grow((w), (Py_ssize_t)(more))) != DONE)  \
            return reserved;                                     \
    } while (0)

static int put(Writer *w, const char *text, Py_ssize_t size)
{
    RESERVE(w, size);
    memcpy(w->text + w->size, text, size);
    w->size += size;
    return DONE;
}

/* What a path leads to, borrowed; NULL when it leads nowhere. */
static inline PyObject *find(const Outline *outline, const Path *path, PyObject **frame)
{
    PyObject *found = frame[-path->outer];
    const Step *step = outline->steps + path->first;
    for (const Step *end = step + path->steps; step < end; step++) {
        if (step->type != NULL) {
            if (Py_TYPE(found) != step->type)
                return NULL;
            found = *(PyObject **)((char *)found + step->at);
        } else {
            if (!PyTuple_CheckExact(found) || PyTuple_GET_SIZE(found) <= step->at)
                return NULL;
            found = PyTuple_GET_ITEM(found, step->at);
        }
        if (found == NULL)
            return NULL;
    }
    return found;
}

/* Whether there is anything: not None, False, "" or (). */
static inline int holds(PyObject *value)
{
    if (value == Py_None || value == Py_False)
        return 0;
    if (PyUnicode_CheckExact(value))
        return PyUnicode_GET_LENGTH(value) != 0;
    if (PyTuple_CheckExact(value))
        return PyTuple_GET_SIZE(value) != 0;
    return 1;
}

/* Whether one of the fields of a path holds anything; FAILED when the record is none of that type. */
static int any_holds(const Outline *outline, const Path *path, PyObject **frame)
{
    PyObject *record = find(outline, path, frame);
    const Step *step = outline->steps + path->first + path->steps;
    if (record == NULL || Py_TYPE(record) != step->type)
        return FAILED;
    for (const Step *end = step + path->fields; step < end; step++) {
        PyObject *value = *(PyObject **)((char *)record + step->at);
        if (value == NULL)
            return FAILED;
        if (value != outline->nothing && holds(value))
            return 1;
    }
    return 0;
}

static inline int is_ascii(PyObject *value)
{
    return PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value);
}

/* Whether two texts are equal; FAILED when they are of a kind that is not compared here. */
static int same(PyObject *one, PyObject *other)
{
    if (!is_ascii(one) || !is_ascii(other))
        return FAILED;
    return PyUnicode_GET_LENGTH(one) == PyUnicode_GET_LENGTH(other) &&
           memcmp(PyUnicode_1BYTE_DATA(one), PyUnicode_1BYTE_DATA(other), PyUnicode_GET_LENGTH(one)) == 0;
}

static int put_code(Writer *w, const Outline *outline, const Op *op, PyObject *value)
{
    if (!is_ascii(value))
        return FAILED;
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    const unsigned char *text = PyUnicode_1BYTE_DATA(value);
    RESERVE(w, size);
    char *to = w->text + w->size;
    Py_ssize_t made = 0;
    for (Py_ssize_t n = 0; n < size; n++) {
        unsigned char letter = text[n];
        if (outline->code[letter] == 0)
            return FAILED;
        if (letter == op->without)
            continue;
        to[made++] = (char)letter;
    }
    if (made < op->low || made > op->high || (made && (to[0] == ' ' || to[made - 1] == ' ')))
        return FAILED;
    w->size += made;
    return DONE;
}

static int put_words(Writer *w, const Outline *outline, const Op *op, PyObject *value)
{
    if (!is_ascii(value))
        return FAILED;
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    const unsigned char *text = PyUnicode_1BYTE_DATA(value);
    RESERVE(w, size);
    char *to = w->text + w->size;
    Py_ssize_t made = 0;
    for (Py_ssize_t n = 0; n < size; n++) {
        char letter = (char)outline->words[text[n]];
        if (letter == 0)
            return FAILED;
        if (letter == ' ' && (made == 0 || to[made - 1] == ' '))
            continue;
        to[made++] = letter;
    }
    if (made > op->high)
        made = (Py_ssize_t)op->high;
    while (made && to[made - 1] == ' ')
        made--;
    if (made < op->low)
        return FAILED;
    w->size += made;
    return DONE;
}

static inline char *two_digits(char *to, int number)
{
    *to++ = (char)('0' + number / 10);
    *to++ = (char)('0' + number % 10);
    return to;
}

static int put_cents(Writer *w, long long low, long long high, PyObject *value)
{
    if (!PyLong_CheckExact(value))
        return FAILED;
    int overflow;
    long long cents = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || cents < low || cents > high)
        return FAILED;
    RESERVE(w, 24);
    char *to = w->text + w->size;
    if (cents < 0) {
        *to++ = '-';
        cents = -cents;
    }
    long long whole = cents / 100;
    int rest = (int)(cents % 100);
    char digits[20];
    int count = 0;
    for (; whole; whole /= 10)
        digits[count++] = (char)('0' + whole % 10);
    if (count == 0 && rest == 0)
        *to++ = '0';
    while (count)
        *to++ = digits[--count];
    if (rest) {
        *to++ = '.';
        *to++ = (char)('0' + rest / 10);
        if (rest % 10)
            *to++ = (char)('0' + rest % 10);
    }
    w->size = to - w->text;
    return DONE;
}

static int put_date(Writer *w, PyObject *value)
{
    if (!PyDate_CheckExact(value))
        return FAILED;
    RESERVE(w, 8);
    int year = PyDateTime_GET_YEAR(value);
    char *to = two_digits(w->text + w->size, year / 100);
    to = two_digits(to, year % 100);
    to = two_digits(to, PyDateTime_GET_MONTH(value));
    two_digits(to, PyDateTime_GET_DAY(value));
    w->size += 8;
    return DONE;
}

static int put_number(Writer *w, long long number)
{
    char digits[24];
    int at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return put(w, digits + at, (Py_ssize_t)sizeof digits - at);
}

static int put_level(Writer *w, long long depth)
{
    w->open[depth] = ++w->levels;
    int outcome = put_number(w, w->levels);
    if (outcome == DONE)
        outcome = put(w, "*", 1);
    return outcome != DONE || depth == 0 ? outcome : put_number(w, w->open[depth - 1]);
}

static int put_pointer(Writer *w, PyObject *value, PyObject *among)
{
    if (!PyLong_CheckExact(value) || !PyTuple_CheckExact(among))
        return FAILED;
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || number < 1 || number > PyTuple_GET_SIZE(among))
        return FAILED;
    return put_number(w, (Py_ssize_t)number);
}

/* What Python refused is for the loop writers to say. */
static int refused(const Outline *outline)
{
    if (!PyErr_ExceptionMatches(outline->refused))
        return RAISED;
    PyErr_Clear();
    return FAILED;
}

static int put_lookup(Writer *w, const Outline *outline, PyObject *table, PyObject *value)
{
    PyObject *found = PyDict_GetItemWithError(table, value);
    if (found != NULL)
        Py_INCREF(found);
    else if (PyErr_Occurred() || (found = PyObject_GetItem(table, value)) == NULL)
        return refused(outline);
    int outcome = is_ascii(found)
        ? put(w, (const char *)PyUnicode_1BYTE_DATA(found), PyUnicode_GET_LENGTH(found))
        : FAILED;
    Py_DECREF(found);
    return outcome;
}

static void end_segment(Writer *w)
{
    while (w->size > w->segment && w->text[w->size - 1] == '*')
        w->size--;
    w->text[w->size++] = '~';
    w->segment = w->size;
    w->segments++;
}

/* CAS: neighbours of one group share a segment, six reasons at most. The four steps behind it, CODE, CODE, CENTS and
 * LOOKUP, say where group, reason, amount and quantity are and what is allowed. */
static int put_adjustments(Writer *w, const Outline *outline, const Op *op, PyObject *items)
{
    const Op *group_op = op + 1, *reason_op = op + 2, *cents_op = op + 3, *quantity_op = op + 4;
    if (!PyTuple_CheckExact(items))
        return FAILED;
    PyObject *open = NULL;
    int room = 0;
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(items); n++) {
        PyObject *frame[1] = {PyTuple_GET_ITEM(items, n)};
        PyObject *group = find(outline, &group_op->a, frame), *reason = find(outline, &reason_op->a, frame);
        PyObject *cents = find(outline, &cents_op->a, frame), *quantity = find(outline, &quantity_op->a, frame);
        if (group == NULL || reason == NULL || cents == NULL || quantity == NULL)
            return FAILED;
        int outcome;
        if (room == 0 || same(group, open) != 1) {
            RESERVE(w, 8);
            if (open != NULL)
                end_segment(w);
            memcpy(w->text + w->size, "CAS*", 4);
            w->size += 4;
            if ((outcome = put_code(w, outline, group_op, group)) != DONE)
                return outcome;
            open = group;
            room = 6;
        }
        if ((outcome = put(w, "*", 1)) != DONE || (outcome = put_code(w, outline, reason_op, reason)) != DONE ||
            (outcome = put(w, "*", 1)) != DONE ||
            (outcome = put_cents(w, cents_op->low, cents_op->high, cents)) != DONE ||
            (outcome = put(w, "*", 1)) != DONE)
            return outcome;
        if (quantity != Py_None &&
            (outcome = put_lookup(w, outline, quantity_op->object, quantity)) != DONE)
            return outcome;
        room--;
    }
    RESERVE(w, 1);
    if (open != NULL)
        end_segment(w);
    return DONE;
}

static int passes(const Outline *outline, const Op *op, PyObject **frame, Py_ssize_t index)
{
    if (op->low == T_FIRST)
        return index == 0;
    if (op->low == T_ANY)
        return any_holds(outline, &op->a, frame);
    PyObject *value = find(outline, &op->a, frame);
    if (value == NULL)
        return FAILED;
    if (op->low == T_HOLDS)
        return holds(value);
    if (op->low == T_PRESENT)
        return value != Py_None;
    PyObject *other = op->low == T_SAME ? find(outline, &op->b, frame) : op->object;
    return other == NULL ? FAILED : same(value, other);
}

static int run(Writer *w, const Outline *outline, int from, int to, PyObject **frame, Py_ssize_t index, int depth);

static int run_each(Writer *w, const Outline *outline, int at, PyObject *items, PyObject **frame, int depth)
{
    const Op *op = &outline->ops[at];
    if (!PyTuple_CheckExact(items))
        return FAILED;
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    if (count < op->low || count > op->high || depth >= MAX_DEPTH)
        return FAILED;
    for (Py_ssize_t n = 0; n < count; n++) {
        if (n && op->between) {
            RESERVE(w, 1);
            w->text[w->size++] = (char)op->between;
        }
        frame[1] = PyTuple_GET_ITEM(items, n);
        int outcome = run(w, outline, at + 1, at + 1 + op->skip, frame + 1, n, depth + 1);
        if (outcome != DONE)
            return outcome;
    }
    return DONE;
}

#define VALUE(op)                                              \
    PyObject *value = find(outline, &(op)->a, frame);          \
    if (value == NULL)                                         \
        return FAILED

static int run(Writer *w, const Outline *outline, int from, int to, PyObject **frame, Py_ssize_t index, int depth)
{
    for (int at = from; at < to; at++) {
        const Op *op = &outline->ops[at];
        int outcome = DONE;
        if (op->size) {
            RESERVE(w, MAX_TEXT);
            memcpy(w->text + w->size, op->text, MAX_TEXT);
            w->size += op->size;
        }
        switch (op->kind) {
        case K_ABSENT:
            outcome = any_holds(outline, &op->a, frame) ? FAILED : DONE;
            break;
        case K_FAIL:
            return FAILED;
        case K_IF:
            outcome = passes(outline, op, frame, index);
            if (outcome < 0)
                return outcome;
            if (outcome == op->negated)
                at += op->skip;
            outcome = DONE;
            break;
        case K_EACH: {
            VALUE(op);
            outcome = run_each(w, outline, at, value, frame, depth);
            at += op->skip;
            break;
        }
        case K_CODE: {
            VALUE(op);
            outcome = put_code(w, outline, op, value);
            break;
        }
        case K_WORDS: {
            VALUE(op);
            outcome = put_words(w, outline, op, value);
            break;
        }
        case K_CENTS: {
            VALUE(op);
            outcome = put_cents(w, op->low, op->high, value);
            break;
        }
        case K_DATE: {
            VALUE(op);
            outcome = put_date(w, value);
            break;
        }
        case K_POINTER: {
            VALUE(op);
            PyObject *among = find(outline, &op->b, frame);
            outcome = among == NULL ? FAILED : put_pointer(w, value, among);
            break;
        }
        case K_NUMBER:
            outcome = put_number(w, index + 1);
            break;
        case K_LEVEL:
            outcome = put_level(w, op->low);
            break;
        case K_LOOKUP: {
            VALUE(op);
            outcome = put_lookup(w, outline, op->object, value);
            break;
        }
        case K_SEGMENT_END:
            RESERVE(w, 1);
            end_segment(w);
            break;
        case K_PARTS:
            w->parts = w->size;
            break;
        case K_PARTS_END:
            while (w->size > w->parts && w->text[w->size - 1] == ':')
                w->size--;
            break;
        case K_ADJUSTMENTS: {
            VALUE(op);
            outcome = put_adjustments(w, outline, op, value);
            at += op->skip;
            break;
        }
        }
        if (outcome != DONE)
            return outcome;
    }
    return DONE;
}

/* Writes records from one of them on until one is not of the shape; where it stopped, or -1 with an exception. */
static Py_ssize_t run_records(Writer *w, const Outline *outline, PyObject *records, Py_ssize_t at)
{
    for (; at < PySequence_Fast_GET_SIZE(records); at++) {
        PyObject *frames[MAX_DEPTH + 2] = {Py_NewRef(PySequence_Fast_GET_ITEM(records, at))};
        w->segment = w->size;
        Py_ssize_t size = w->size, segments = w->segments;
        long long levels = w->levels;
        int outcome = run(w, outline, 0, outline->count, frames, 0, 0);
        Py_DECREF(frames[0]);
        if (outcome == RAISED)
            return -1;
        if (outcome == FAILED) {
            w->size = size;
            w->segments = segments;
            w->levels = levels;
            break;
        }
    }
    return at;
}

static PyObject *outline_run(Outline *self, PyObject *args)
{
    PyObject *given;
    Py_ssize_t at;
    Writer w = {0};
    if (!PyArg_ParseTuple(args, "OnLL", &given, &at, &w.levels, &w.open[0]))
        return NULL;
    if (at < 0 || self->count == 0) {
        PyErr_SetString(PyExc_ValueError, at < 0 ? "records are counted from 0" : "the outline was not made");
        return NULL;
    }
    PyObject *records = PySequence_Fast(given, "records are a list or a tuple");
    if (records == NULL)
        return NULL;
    at = run_records(&w, self, records, at);
    PyObject *text = NULL, *answer = NULL;
    if (at >= 0 && (text = PyUnicode_New(w.size ? w.size - 1 : 0, 127)) != NULL) {
        if (w.size)
            memcpy(PyUnicode_1BYTE_DATA(text), w.text, w.size - 1); /* Without the last terminator. */
        answer = Py_BuildValue("OnLn", text, w.segments, w.levels, at);
    }
    Py_XDECREF(text);
    PyMem_Free(w.text);
    Py_DECREF(records);
    return answer;
}

/* ---- making an outline */

static int wrong(const char *what)
{
    PyErr_SetString(PyExc_TypeError, what);
    return -1;
}

/* (outer, ((type, field) | (None, index), ...), how many at the end are fields of one record) */
static int read_path(Outline *self, PyObject *spec, Path *path)
{
    PyObject *steps;
    int outer, fields;
    *path = (Path){-1, 0, 0, self->steps_made};
    if (spec == Py_None)
        return 0;
    if (!PyArg_ParseTuple(spec, "iO!i", &outer, &PyTuple_Type, &steps, &fields))
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(steps);
    if (count - fields > MAX_STEPS || fields < 0 || fields > count || outer < 0 || outer > MAX_DEPTH ||
        self->steps_made + count > MAX_OPS)
        return wrong("a path is too long");
    path->outer = (signed char)outer;
    path->steps = (signed char)(count - fields);
    path->fields = (short)fields;
    self->steps_made += (int)count;
    for (Py_ssize_t n = 0; n < count; n++) {
        Step *step = &self->steps[path->first + n];
        PyObject *type, *field;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(steps, n), "OO", &type, &field))
            return -1;
        if (type == Py_None) {
            *step = (Step){NULL, PyLong_AsSsize_t(field)};
            if (step->at < 0)
                return PyErr_Occurred() ? -1 : wrong("an index is negative");
            continue;
        }
        if (!PyType_Check(type))
            return wrong("a step is of no type");
        PyObject *slot = PyObject_GetAttr(type, field);
        if (slot == NULL)
            return -1;
        int fits = Py_IS_TYPE(slot, &PyMemberDescr_Type) &&
                   PyType_IsSubtype((PyTypeObject *)type, ((PyMemberDescrObject *)slot)->d_common.d_type) &&
                   ((PyMemberDescrObject *)slot)->d_member->type == T_OBJECT_EX;
        if (fits)
            *step = (Step){(PyTypeObject *)type, ((PyMemberDescrObject *)slot)->d_member->offset};
        Py_DECREF(slot);
        if (!fits)
            return wrong("a field is no slot of a record");
    }
    for (int n = 0; n < path->fields; n++) {
        const Step *step = &self->steps[path->first + path->steps];
        if (step[n].type == NULL || step[n].type != step->type)
            return wrong("fields are not of one record");
    }
    return 0;
}

/* (kind, a | None, b | None, text, low, high, object, skip, negated) */
static int read_op(Outline *self, PyObject *spec, Op *op, int left)
{
    PyObject *a, *b;
    int kind, negated;
    const char *text;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(spec, "iOOs#LLOip", &kind, &a, &b, &text, &size, &op->low, &op->high, &op->object,
                          &op->skip, &negated))
        return -1;
    if (kind < 0 || kind >= KINDS || op->skip < 0 || op->skip > left)
        return wrong("no such step");
    if (size > MAX_TEXT || (size && kind < K_TEXT))
        return wrong("a text is too long, or stands where there is none");
    memcpy(op->text, text, size);
    op->size = (int)size;
    op->kind = (unsigned char)kind;
    op->negated = (unsigned char)negated;
    if (read_path(self, a, &op->a) || read_path(self, b, &op->b))
        return -1;
    int simple = op->kind == K_FAIL || op->kind == K_TEXT || op->kind == K_NUMBER || op->kind == K_LEVEL ||
                 (op->kind >= K_SEGMENT_END && op->kind <= K_PARTS_END) || (op->kind == K_IF && op->low == T_FIRST);
    if ((op->a.outer >= 0) == simple)
        return wrong("a step has a path too many, or none");
    if (op->kind == K_IF && (op->low < 0 || op->low >= TESTS))
        return wrong("no such test");
    if ((op->kind == K_POINTER || (op->kind == K_IF && op->low == T_SAME)) && op->b.outer < 0)
        return wrong("a step has one path where it needs two");
    if (op->kind == K_LEVEL && (op->low < 0 || op->low >= MAX_LEVELS))
        return wrong("a level is too deep");
    if ((op->a.fields > 0) != (op->kind == K_ABSENT || (op->kind == K_IF && op->low == T_ANY)) || op->b.fields)
        return wrong("only some steps look at fields together");
    if ((op->kind == K_CODE || op->kind == K_EACH) && op->object != Py_None) {
        if (!is_ascii(op->object) || PyUnicode_GET_LENGTH(op->object) != 1)
            return wrong("one character can be left out, or stand between items");
        *(op->kind == K_CODE ? &op->without : &op->between) = PyUnicode_1BYTE_DATA(op->object)[0];
    }
    if (op->kind == K_LOOKUP && !PyDict_Check(op->object))
        return wrong("a table is none");
    if (op->kind == K_CENTS && (op->low < -MOST_CENTS || op->high > MOST_CENTS))
        return wrong("an amount of so many digits");
    return 0;
}

static int are_adjustments(const Op *op)
{
    return op->skip == 4 && op[1].kind == K_CODE && op[2].kind == K_CODE && op[3].kind == K_CENTS &&
           op[4].kind == K_LOOKUP;
}

static int depths_fit(const Outline *self, int from, int to, int depth)
{
    for (int at = from; at < to; at++) {
        const Op *op = &self->ops[at];
        if (op->a.outer > depth || op->b.outer > depth)
            return wrong("a path begins outside of the record");
        if (op->kind == K_EACH || op->kind == K_ADJUSTMENTS) {
            int inner = op->kind == K_EACH ? depth + 1 : 0; /* Adjustments are read by themselves. */
            if (at + 1 + op->skip > to || depths_fit(self, at + 1, at + 1 + op->skip, inner))
                return PyErr_Occurred() ? -1 : wrong("a list reaches beyond its own");
            if (op->kind == K_ADJUSTMENTS && !are_adjustments(op))
                return wrong("the steps of adjustments are others");
            at += op->skip;
        } else if (op->kind == K_IF && at + op->skip >= to) {
            return wrong("a test skips beyond its list");
        }
    }
    return 0;
}

static int read_tables(Outline *self, Py_buffer *code, Py_buffer *words)
{
    if (code->len != 256 || words->len != 256)
        return wrong("a table of characters has not 256 of them");
    memcpy(self->code, code->buf, 256);
    memcpy(self->words, words->buf, 256);
    /* Whatever the tables say: nothing that separates, and nothing beyond ASCII. */
    for (int letter = 0; letter < 256; letter++) {
        if (letter < ' ' || letter > '~' || strchr("*:^~", letter) != NULL)
            self->code[letter] = 0;
        unsigned char made = self->words[letter];
        if (made < ' ' || made > '~' || strchr("*:^~", made) != NULL)
            self->words[letter] = 0;
    }
    return 0;
}

static int outline_init(Outline *self, PyObject *args, PyObject *kwargs)
{
    PyObject *steps, *refused_type;
    Py_buffer code, words;
    if (self->ops != NULL)
        return wrong("an outline is made once");
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs))
        return wrong("an outline has no named arguments");
    if (!PyArg_ParseTuple(args, "O!y*y*O", &PyTuple_Type, &steps, &code, &words, &refused_type))
        return -1;
    int outcome = PyExceptionClass_Check(refused_type) ? read_tables(self, &code, &words) : wrong("no exception");
    PyBuffer_Release(&code);
    PyBuffer_Release(&words);
    if (outcome)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(steps);
    if (count > MAX_OPS)
        return wrong("an outline of so many steps");
    self->keep = Py_NewRef(steps);
    self->nothing = PyTuple_New(0);
    self->refused = Py_NewRef(refused_type);
    Op *ops = self->ops = PyMem_Calloc(count + 1, sizeof(Op));
    self->steps = PyMem_Calloc(MAX_OPS, sizeof(Step));
    if (ops == NULL || self->steps == NULL || self->nothing == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t n = 0; n < count; n++)
        if (read_op(self, PyTuple_GET_ITEM(steps, n), &ops[n], (int)(count - n - 1)))
            return -1;
    if (depths_fit(self, 0, (int)count, 0))
        return -1;
    self->count = (int)count;
    return 0;
}

static int outline_traverse(Outline *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->keep);
    Py_VISIT(self->refused);
    Py_VISIT(self->nothing);
    return 0;
}

static int outline_clear(Outline *self)
{
    self->count = 0;
    PyMem_Free(self->ops);
    PyMem_Free(self->steps);
    self->ops = NULL;
    self->steps = NULL;
    Py_CLEAR(self->keep);
    Py_CLEAR(self->refused);
    Py_CLEAR(self->nothing);
    return 0;
}

static void outline_dealloc(Outline *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    outline_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef outline_methods[] = {
    {"run", (PyCFunction)outline_run, METH_VARARGS,
     "run(records, at, levels, parent): text, segments, levels, where it stopped."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot outline_slots[] = {
    {Py_tp_doc, "Outline(steps, code, words, refused): what records are written as."},
    {Py_tp_init, outline_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, outline_dealloc},
    {Py_tp_traverse, outline_traverse},
    {Py_tp_clear, outline_clear},
    {Py_tp_methods, outline_methods},
    {0, NULL},
};

static PyType_Spec outline_spec = {
    .name = "revcycle_edi.x12._outline.Outline",
    .basicsize = sizeof(Outline),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = outline_slots,
};

static int module_exec(PyObject *module)
{
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == NULL || PyModule_AddIntConstant(module, "LANGUAGE", LANGUAGE))
        return -1;
    PyObject *type = PyType_FromModuleAndSpec(module, &outline_spec, NULL);
    if (type == NULL)
        return -1;
    int outcome = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return outcome;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "revcycle_edi.x12._outline",
    .m_doc = "Records written as X12 by outlines.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__outline(void)
{
    return PyModuleDef_Init(&module_def);
}
