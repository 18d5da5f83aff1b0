"""What a believable shop sells: goods, variants and places, in English and Arabic."""

from typing import NamedTuple


class Good(NamedTuple):
    """A kind of thing on the shelf."""

    category: int
    prefix: str
    """Of its SKUs."""
    english: str
    arabic: str
    unit: str
    price: int
    """Typical selling price in riyals."""


GOODS = (
    Good(1, "COF", "Arabian coffee", "قهوة عربية", "kg", 68),
    Good(1, "COF", "Colombian coffee beans", "بن كولومبي", "kg", 84),
    Good(1, "TEA", "Black tea", "شاي أسود", "piece", 19),
    Good(2, "DAT", "Ajwa dates", "تمر عجوة", "kg", 75),
    Good(2, "DAT", "Sukkari dates", "تمر سكري", "kg", 38),
    Good(2, "NUT", "Roasted almonds", "لوز محمص", "kg", 52),
    Good(2, "SPC", "Ground cardamom", "هيل مطحون", "kg", 140),
    Good(3, "OUD", "Oud oil", "دهن عود", "piece", 320),
    Good(3, "PRF", "Musk perfume", "عطر مسك", "piece", 110),
    Good(4, "ABY", "Abaya", "عباية", "piece", 240),
    Good(4, "THB", "Thobe", "ثوب", "piece", 180),
    Good(4, "SHM", "Shemagh", "شماغ", "piece", 95),
    Good(5, "MUG", "Ceramic mug", "كوب سيراميك", "piece", 24),
    Good(5, "DLH", "Brass dallah", "دلة نحاس", "piece", 165),
    Good(5, "TRY", "Serving tray", "صينية تقديم", "piece", 58),
    Good(6, "CBL", "Copper cable", "سلك نحاس", "metre", 9),
    Good(6, "LED", "LED lamp", "مصباح ليد", "piece", 17),
    Good(6, "PMP", "Water pump", "مضخة مياه", "piece", 410),
    Good(6, "PNT", "Wall paint", "دهان جدران", "litre", 33),
    Good(7, "NBK", "Notebook", "دفتر ملاحظات", "piece", 12),
    Good(7, "PEN", "Fountain pen", "قلم حبر", "piece", 45),
)

SERVICES = (
    Good(8, "SRV", "Delivery", "خدمة توصيل", "service", 25),
    Good(8, "SRV", "Installation", "خدمة تركيب", "service", 150),
    Good(8, "SRV", "Gift wrapping", "تغليف هدايا", "service", 15),
    Good(8, "SRV", "Consultation hour", "ساعة استشارة", "service", 300),
)

VARIANTS = (
    ("small", "صغير"),
    ("medium", "وسط"),
    ("large", "كبير"),
    ("black", "أسود"),
    ("white", "أبيض"),
    ("blue", "أزرق"),
    ("premium", "فاخر"),
    ("economy", "اقتصادي"),
)

DIVISIBLE = frozenset({"kg", "metre", "litre"})
"""Units that are sold in fractions."""

PLACES = (
    ("Main Warehouse", "المستودع الرئيسي"),
    ("Riyadh Outlet", "معرض الرياض"),
    ("Jeddah Store", "فرع جدة"),
    ("Dammam Store", "فرع الدمام"),
    ("Online Orders", "طلبات المتجر الإلكتروني"),
    ("Returns", "المرتجعات"),
)


def place(index: int) -> tuple[str, str]:
    """Name the index-th location (from 0), for as many as are asked for."""
    english, arabic = PLACES[index % len(PLACES)]
    lap = index // len(PLACES)
    return (english, arabic) if lap == 0 else (f"{english} {lap + 1}", f"{arabic} {lap + 1}")
