"""Sentences that the core makes, in Arabic: they are known by their English form.

The core speaks one language, to logs, machines and terminals alike; a page recognises what it says. Words of databases
and of Qoyod stand as they are.
"""

import re
from collections.abc import Mapping
from string import Formatter

_ARABIC: Mapping[str, str] = {
    "{count} of {managed} cells ({share}) dropped to zero, the limit is {limit}":
        "{count} من {managed} رقمًا ({share}) هبط إلى الصفر، والحدّ {limit}",
    "{count} of {managed} cells ({share}) were removed, the limit is {limit}":
        "{count} من {managed} رقمًا ({share}) حُذف، والحدّ {limit}",
    "{count} of {managed} cells ({share}) changed, the limit is {limit}":
        "{count} من {managed} رقمًا ({share}) تغيّر، والحدّ {limit}",
    "the catalogue fell from {usual} to {total} products, the limit is {limit}":
        "هبط عدد المنتجات من {usual} إلى {total}، والحدّ {limit}",
    "1 figure is below zero and policy.negative is hold": "رقم واحد أقل من الصفر، وقاعدة policy.negative هي hold",
    "{count} figures are below zero and policy.negative is hold":
        "الأرقام الأقل من الصفر: {count}، وقاعدة policy.negative هي hold",
    "{count} of {checked} products differ between Qoyod's list and its answer by id, read twice":
        "{count} من {checked} منتجات يختلف رقمها بين قائمة قيود وجوابه بالرقم، وقد قُرئت مرتين",
    "unknown: Qoyod no longer shows it, since {span} ago": "غير معروف: لم يعد قيود يعرضه منذ {span}",
    "quarantined ({side}, 1 attempt): {reason}": "معزول ({side}، محاولة واحدة): {reason}",
    "quarantined ({side}, {count} attempts): {reason}": "معزول ({side}، المحاولات {count}): {reason}",
    "{change} is held by {why}; right: stocksync approve {plan}":
        "{change} محجوز: {why}؛ إن كان صحيحًا فاكتب: stocksync approve {plan}",
    "{change} is held by {why}; approved by {who} {span} ago ({plan})":
        "{change} محجوز: {why}؛ وافق عليه {who} قبل {span} ({plan})",
    "{change} is held by {why}; rejected by {who} {span} ago ({plan})":
        "{change} محجوز: {why}؛ رفضه {who} قبل {span} ({plan})",
    "zeroed: {reason}": "إلى الصفر: {reason}",
    "deleted: {reason}": "حذف: {reason}",
    "changed: {reason}": "تغيّر كثير: {reason}",
    "total_fall: {reason}": "هبوط المجموع: {reason}",
    "cross_check: {reason}": "فحص مقارن: {reason}",
    "negative: {reason}": "سالب: {reason}",
    "no location feeds {place} any more; policy.on_unmapped = {rule}":
        "لم يعد أي مستودع يغذّي {place}؛ والقاعدة policy.on_unmapped = {rule}",
    "altered_by_target: {sent} was written, and the target made {made} of it (a trigger, or the column's type)":
        "غيّره الهدف: كُتب {sent} فجعله {made} (زناد، أو نوع العمود)",
    'the target has no row of it, and target.missing = "skip" makes none':
        'لا صفّ له في الهدف، والقاعدة target.missing = "skip" لا تنشئه',
    "the target has no row of it, and the `write` statement made none": "لا صفّ له في الهدف، ولم تنشئه عبارة write",
    "deleted in Qoyod, confirmed {span} ago": "محذوف في قيود، وتأكّد ذلك قبل {span}",
    "missing from the last {count} complete readings": "غائب عن آخر القراءات الكاملة، وعددها {count}",
    "missing from the list, and the question for it by id fails": "غائب عن القائمة، والسؤال عنه برقمه لا يُجاب",
    "raw": "كما في قيود",
    "negative": "السالب",
    "location map": "خريطة المستودعات",
    "buffer": "الاحتياط",
    "rounding": "التقريب",
    "Qoyod location {location}": "مستودع قيود {location}",
    "to {place}": "إلى {place}",
    "one figure per product": "رقم واحد لكل منتج",
    "policy.negative = {rule}": "القاعدة policy.negative = {rule}",
    "policy.buffer = {figure}, never below zero by itself":
        "القاعدة policy.buffer = {figure}، ولا تنزل به وحدها تحت الصفر",
    "policy.rounding = {rule}, the column keeps any number": "القاعدة policy.rounding = {rule}، والعمود يحفظ أي رقم",
    "policy.rounding = {rule}, the column keeps {count} decimals":
        "القاعدة policy.rounding = {rule}، ويحفظ العمود هذه المنازل: {count}",
    "{figure} has more decimals than the target's column keeps": "في {figure} منازل أكثر مما يحفظه عمود الهدف",
}  # fmt: skip


FIGURES = frozenset({"count", "managed", "checked", "share", "limit", "usual", "total"})


def _pattern(template: str) -> re.Pattern[str]:
    pattern = ""
    for text, name, _, _ in Formatter().parse(template):
        value = r"[\d,.]+%?" if name in FIGURES else ".+?"
        pattern += re.escape(text) + (f"(?P<{name}>{value})" if name else "")
    return re.compile(pattern)


_KNOWN = [(_pattern(english), arabic) for english, arabic in _ARABIC.items()]


def in_arabic(sentence: str) -> tuple[str, Mapping[str, str]] | None:
    """Give the Arabic form of a sentence of the core, and what is to be filled in; None where it is none of them."""
    for pattern, arabic in _KNOWN:
        if found := pattern.fullmatch(sentence):
            return arabic, found.groupdict()
    return None
