"""What our own code says, in Arabic, by its English form; `sentences` recognises it on its way to people."""

from collections.abc import Mapping

ARABIC: Mapping[str, str] = {
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
        "{change} محجوز: {why}؛ إن كان صحيحًا فاكتب: `stocksync approve {plan}`",
    "{change} is held by {why}; approved by {who} {span} ago ({plan})":
        "{change} محجوز: {why}؛ وافق عليه {who} قبل {span} ({plan})",
    "{change} is held by {why}; rejected by {who} {span} ago ({plan})":
        "{change} محجوز: {why}؛ رفضه {who} قبل {span} ({plan})",
    "{before} → {after}": "من {before} إلى {after}",
    "a limit was exceeded": "تجاوز حدًّا",
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
    # What was read of Qoyod's list, and how it fits together.
    "Qoyod found nothing": "لم يجد قيود شيئًا",
    "{pages} was not read": "لم تُقرأ {pages}",
    "only {pages} was read": "قُرئت {pages} وحدها",
    "{pages} holds no rows and no readable pagination": "ليس في {pages} صفوف ولا ترقيم مقروء",
    "page {numbers}": "الصفحة {numbers}",
    "pages {numbers}": "الصفحات {numbers}",
    "pages {numbers} and {count} more": "الصفحات {numbers} و{count} غيرها",
    "{pages} read before the one after it and not confirmed since": "{pages}: قُرئت قبل التي تليها ولم تُؤكَّد بعدها",
    "{pages} without readable pagination": "{pages}: بلا ترقيم مقروء",
    "{pages} that do not echo their number": "{pages}: لا تذكر رقمها",
    "{pages} with a row whose id cannot be read": "{pages}: فيها صفّ لا يُقرأ رقمه",
    "{pages} not read": "{pages}: لم تُقرأ",
    "{pages} answered that nothing was found": "{pages}: أجابت بأنه لا شيء هناك",
    "{pages} of another list than the newest (totals {totals})": "{pages}: من قائمة غير الأحدث (المجاميع {totals})",
    "{pages} with ids that do not ascend": "{pages}: أرقام منتجاتها لا تتصاعد",
    "{pages}: {reason}": "{pages}: {reason}",
    "and {count} more pages": "وصفحات أخرى عددها {count}",
    "{count} pages are more than the {limit} that are read": "الصفحات {count}، وهي أكثر من {limit} التي تُقرأ",
    "{count} pages of {size} do not fit {total} products":
        "{count} من الصفحات في كلٍّ {size} لا توافق {total} من المنتجات",
    "{count} rows read of {total}": "قُرئ {count} من {total} صفًّا",
    "{count} of {total} rows do not match the filter that was asked for":
        "{count} من {total} صفًّا لا يوافق المرشّح المطلوب",
    # Among other reasons each half stands alone.
    "not read in time": "لم تُقرأ في الوقت",
    "the next reading goes on there": "تواصل القراءة التالية من هناك",
    "not read in time; the next reading goes on there": "لم تُقرأ في الوقت؛ وتواصل القراءة التالية من هناك",
    "not asked for, after {count} pages failed in a row": "لم تُطلب بعد تعثّر {count} صفحات متتالية",
    "more than {count} rows could not be read, the first at {spot}: {reason}":
        "تعذّرت قراءة أكثر من {count} صفًّا، أوّلها عند {spot}: {reason}",
    # Why a cycle, an audit or a look-up came to no end.
    "not done within poll.deadline of {seconds} s": "لم يكتمل في مهلة poll.deadline وهي {seconds} ثانية",
    "no time is left before poll.deadline": "لم يبق وقت قبل مهلة poll.deadline",
    "unexpected {kind}: {words}; please report this": "خطأ غير متوقّع {kind}: {words}؛ نرجو إبلاغنا به",
    "the target was changed in the configuration: its rows are compared as at first contact":
        "غُيّر الهدف في الإعدادات: تُقارن صفوفه كما في أول اتصال",
    "the target was changed in the configuration: the next cycle compares it as at first contact":
        "غُيّر الهدف في الإعدادات: تقارنه الدورة التالية كما في أول اتصال",
    "the counts of a cycle do not add up: {words}; please report this":
        "أعداد الدورة لا تتوافق: {words}؛ نرجو إبلاغنا بذلك",
    "account {account}: {reason}": "الحساب {account}: {reason}",
    "another writer took over, or the lease has run out": "تولّى كاتب آخر، أو انتهى حقّ الكتابة",
    "another writer took over; this one writes nothing more": "تولّى كاتب آخر، ولا يكتب هذا شيئًا بعد",
    "the lease has run out; nothing is written until it is claimed again":
        "انتهى حقّ الكتابة، ولا يُكتب شيء حتى يُؤخذ من جديد",
    "the lease was lost while a cycle began": "ضاع حقّ الكتابة عند بدء دورة",
    "this process stops, and starts nothing more": "تتوقّف هذه العملية ولا تبدأ شيئًا بعد",
    "another process is the writer": "عملية أخرى هي الكاتبة",
    "another process is the writer, or died less than {seconds} s ago; stop it or wait, or look with: stocksync plan":
        "عملية أخرى هي الكاتبة، أو انتهت قبل أقلّ من {seconds} ثانية؛ أوقفها أو انتظر، أو انظر بـ: `stocksync plan`",
    "another process is the writer, or died less than {seconds} s ago":
        "عملية أخرى هي الكاتبة، أو انتهت قبل أقلّ من {seconds} ثانية",
    # Qoyod and the way to it.
    "Qoyod did not answer in time": "لم يُجب قيود في الوقت",
    "Qoyod refused the credential (401): {words}": "رفض قيود بيانات الدخول (401): {words}",
    "Qoyod forbids this (403), check the plan and the key's permissions: {words}":
        "يمنع قيود هذا (403)، راجع الباقة وصلاحيات المفتاح: {words}",
    "Qoyod sends elsewhere ({status}) and no credential follows: set base_url for {place}":
        "يحيل قيود إلى مكان آخر ({status}) ولا تُرسل إليه بيانات الدخول: اضبط base_url على {place}",
    "Qoyod refused the request ({status}): {words}": "رفض قيود الطلب ({status}): {words}",
    "Qoyod answered {status}: {words}": "أجاب قيود {status}: {words}",
    "a proxy or firewall before Qoyod answered {status}: {words}":
        "أجاب وسيط أو جدار حماية أمام قيود {status}: {words}",
    "a proxy or firewall before {host} answered {status}: {words}":
        "أجاب وسيط أو جدار حماية أمام {host} {status}: {words}",
    "a proxy or firewall before {host} answered {status}": "أجاب وسيط أو جدار حماية أمام {host} {status}",
    "somebody before Qoyod answered 404 with a page: {words}": "أجاب أحد أمام قيود 404 بصفحة: {words}",
    "Qoyod knows no {path} here (404): check base_url": "لا يعرف قيود {path} هنا (404): راجع base_url",
    "Qoyod knows no {path} here (404): check base_url, which ends in /2.0":
        "لا يعرف قيود {path} هنا (404): راجع base_url، وينتهي بـ /2.0",
    "Qoyod did not follow the filter for SKU {sku}: ask by product id":
        "لم يتبع قيود المرشّح على الرمز {sku}: اسأل برقم المنتج",
    "Qoyod answered with product {found} when asked for {id}": "أجاب قيود بالمنتج {found} وقد سُئل عن {id}",
    "Qoyod's answer could not be understood ({reason}): {words}": "تعذّر فهم جواب قيود ({reason}): {words}",
    "a web page came instead of data (a proxy, a captive portal?): {words}":
        "جاءت صفحة ويب بدل البيانات (وسيط، أو بوابة دخول؟): {words}",
    "Qoyod's answer of {count} bytes holds {total} values: no list is like that":
        "في جواب قيود وهو {count} بايت {total} قيمة: ليست قائمة هكذا",
    "the answer is larger than {limit} bytes": "الجواب أكبر من {limit} بايت",
    "{host} did not answer in time": "لم يُجب {host} في الوقت",
    "no secure connection to {host}: {reason}": "لا اتصال آمنًا بـ {host}: {reason}",
    "it speaks no TLS there; is it http:// instead of https://?": "لا يعمل TLS هناك؛ أهو http:// بدل https://؟",
    "no connection to the proxy: {reason}": "لا اتصال بالوسيط: {reason}",
    "no connection to {host}: {reason}": "لا اتصال بـ {host}: {reason}",
    "connection refused": "رُفض الاتصال",
    "no such host can be found": "لا يُعثر على هذا المضيف",
    "check base_url and the network": "راجع base_url والشبكة",
    "check the account's proxy": "راجع proxy في الحساب",
    "the answer of {host} broke off": "انقطع جواب {host}",
    "{host} closed the connection": "أغلق {host} الاتصال",
    "the kept connection was closed": "أُغلق الاتصال المحفوظ",
    "the proxy {host} asks for a user and a password, or refuses ours; check the account's proxy":
        "يطلب الوسيط {host} اسمًا وكلمة مرور، أو يرفض ما لدينا؛ راجع proxy في الحساب",
    "the proxy {host} answered {status}; check the account's proxy":
        "أجاب الوسيط {host} {status}؛ راجع proxy في الحساب",
    "the secret could not be read ({kind}): check the account's auth section":
        "تعذّرت قراءة السرّ ({kind}): راجع قسم auth في الحساب",
    "the secret could not be read ({kind}): {path}": "تعذّرت قراءة السرّ ({kind}): {path}",
    "the secret is empty: set it where the account's auth section points":
        "السرّ فارغ: ضعه حيث يشير قسم auth في الحساب",
    "the secret holds characters that no HTTP header can carry": "في السرّ محارف لا تحملها ترويسة HTTP",
    "{host} refused the client ({status}): check client_id, its secret and the scope":
        "رفض {host} العميل ({status}): راجع client_id وسرّه والنطاق scope",
    "{host} answered {status}: check token_url": "أجاب {host} {status}: راجع token_url",
    "{host} answered {status}": "أجاب {host} {status}",
    "{host} gave no token that could be understood": "لم يعطِ {host} رمز دخول مفهومًا",
    "{host} gave a token that no HTTP header can carry": "أعطى {host} رمز دخول لا تحمله ترويسة HTTP",
    "the refresh token could not be stored: {reason}": "تعذّر حفظ رمز التجديد: {reason}",
    "the refresh token could not be loaded: {reason}": "تعذّر تحميل رمز التجديد: {reason}",
    "no request to Qoyod without its budget: {reason}": "لا طلب إلى قيود بلا حصّته: {reason}",
    "the state database took {seconds} s to answer": "أجابت قاعدة الحالة بعد {seconds} ثانية",
    # A row of Qoyod's that could not be read.
    "{spot}: {reason}": "{spot}: {reason}",
    "Object missing required field `{field}`": "ينقصه الحقل {field}",
    "Expected 1 or 0, got `{found}`": "المنتظر 1 أو 0، والوارد {found}",
    "Expected a decimal, got `{found}`": "المنتظر عدد عشري، والوارد {found}",
    "Expected `{wanted}`, got `{found}`": "المنتظر {wanted}، والوارد {found}",
    "Input data was truncated": "انقطع الجواب قبل نهايته",
    "JSON is malformed: {words}": "صيغة JSON خاطئة: {words}",
    "Expected `{wanted}`": "المنتظر {wanted}",
    "SKU with a NUL character or of absurd length": "رمز فيه محرف NUL أو طوله غير معقول",
    "Location {location} appears twice": "المستودع {location} مذكور مرتين",
    # The target.
    "{count} of {total} cells refused: {reason}": "رُفض {count} من {total} رقمًا: {reason}",
    "{count} of 1 cell refused: {reason}": "رُفض {count} من رقم واحد: {reason}",
    "1 cell waits: {reason}": "ينتظر رقم واحد: {reason}",
    "{count} cells wait: {reason}": "تنتظر أرقام عددها {count}: {reason}",
    "refused": "مرفوض",
    "not in the target": "ليس في الهدف",
    "{count} rows cannot be written now: {reason}": "{count} صفوف لا تُكتب الآن: {reason}",
    "too many rows wait for other transactions: {reason}": "صفوف كثيرة تنتظر معاملات أخرى: {reason}",
    "more is to be changed than when it was weighed, and the guards would hold it; the next poll compares anew":
        "صار ما يُغيَّر أكثر مما وُزن، وصارت الحواجز تمنعه؛ وتقارن الدورة التالية من جديد",
    "the target refuses every row: {reason}": "يرفض الهدف كل صفّ: {reason}",
    "the target refuses to show any row: {reason}": "يرفض الهدف أن يُظهر أي صفّ: {reason}",
    "the target cannot be asked: {reason}; what has changed is written by the next poll":
        "لا يمكن سؤال الهدف: {reason}؛ وتكتب الدورة التالية ما تغيّر",
    "the target cannot be asked: {reason}": "لا يمكن سؤال الهدف: {reason}",
    "another transaction holds the row": "معاملة أخرى تمسك بالصفّ",
    "another transaction holds the row or the table: {words}": "معاملة أخرى تمسك بالصفّ أو بالجدول: {words}",
    "waits for {words}, which holds the row": "ينتظر {words}، وهي تمسك بالصفّ",
    "{where}: gave way to another transaction: {words}": "{where}: أفسح لمعاملة أخرى: {words}",
    "gave way to another transaction: {words}": "أفسح لمعاملة أخرى: {words}",
    "{where}: the database refuses: {words}": "{where}: ترفض قاعدة البيانات: {words}",
    "{where}: the database does not answer: {words}": "{where}: لا تُجيب قاعدة البيانات: {words}",
    "{where}: another program holds the database: {words}": "{where}: برنامج آخر يمسك بقاعدة البيانات: {words}",
    "{where}: the server takes no writes at present: {words}": "{where}: لا يقبل الخادم كتابة الآن: {words}",
    "{where}: {words}; has the table been changed?": "{where}: {words}؛ أغُيّر الجدول؟",
    "{where}: {words}; has the table been changed?; see `stocksync check`":
        "{where}: {words}؛ أغُيّر الجدول؟ انظر `stocksync check`",
    "our patience is at its end": "نفد صبرنا",
    "see `stocksync check`": "انظر `stocksync check`",
    "{where}: the statement fails, so nothing of the batch is written: {words}":
        "{where}: تفشل العبارة فلا يُكتب من الدفعة شيء: {words}",
    "{where}: the statement changes rows that the batch has written, so nothing of it is kept":
        "{where}: تغيّر العبارة صفوفًا كتبتها الدفعة، فلا يبقى منها شيء",
    "{where}: the statement changes rows that the batch has written, so nothing of it is kept; see `stocksync check`":
        "{where}: تغيّر العبارة صفوفًا كتبتها الدفعة، فلا يبقى منها شيء؛ انظر `stocksync check`",
    "the statement commits by itself (a procedure with COMMIT or DDL in it?); what it has written stands":
        "تُثبّت العبارة بنفسها (إجراء فيه COMMIT أو DDL؟)، وما كتبته باقٍ",
    "take the COMMIT out: stocksync commits each batch, once it has made sure that it may":
        "أزل COMMIT: يثبّت stocksync كل دفعة بعد أن يتأكّد أنه يحقّ له",
    "{where}: no driver for {kind}; pip install {command}": "{where}: لا مشغّل لـ {kind}؛ اكتب: `pip install {command}`",
    "{where}: {table} is not there to be written": "{where}: الجدول {table} غير موجود ليُكتب فيه",
    "{where}: there is no table {table} (there is: {names})": "{where}: لا جدول باسم {table} (والموجود: {names})",
    "{where}: there is no table {table}, did you mean {other}? (there is: {names})":
        "{where}: لا جدول باسم {table}، أتقصد {other}؟ (والموجود: {names})",
    "{where}: there is no table {table}": "{where}: لا جدول باسم {table}",
    "there is none at all": "لا شيء هناك",
    "create_table = true makes one": "create_table = true ينشئه",
    "{where}: {table} is not here, it is in schema {place}: write {name}":
        "{where}: الجدول {table} ليس هنا بل في المخطّط {place}: اكتب {name}",
    "{where}: table {table} has no column {name} (there is: {names})":
        "{where}: ليس في الجدول {table} عمود باسم {name} (والموجود: {names})",
    "{where}: table {table} has no column {name}, did you mean {other}? (there is: {names})":
        "{where}: ليس في الجدول {table} عمود باسم {name}، أتقصد {other}؟ (والموجود: {names})",
    "{where}: table {table} has no column {name}": "{where}: ليس في الجدول {table} عمود باسم {name}",
    "{where}: column {name} serves {other} already": "{where}: العمود {name} يخدم {other} من قبل",
    "{where}: column {name} is {type}, but {field} needs {reason}":
        "{where}: العمود {name} نوعه {type}، ويحتاج {field} إلى {reason}",
    "text or whole numbers": "نصّ أو أعداد صحيحة",
    "a number": "عدد",
    "a date and time": "تاريخ ووقت",
    "a boolean or an integer": "قيمة منطقية أو عدد صحيح",
    "text": "نصّ",
    "{where}: column {name} is generated: the database alone fills it":
        "{where}: العمود {name} مولَّد: لا تملؤه إلا قاعدة البيانات",
    "{where}: rows are matched by it, so it needs a column": "{where}: به تُطابق الصفوف، فلا بدّ له من عمود",
    "{where}: rows are matched by it": "{where}: به تُطابق الصفوف",
    "{where}: {table} cannot be asked for rows that meet it: {words}":
        "{where}: لا يمكن سؤال {table} عن صفوف توافقه: {words}",
    "{where}: own statements cannot walk {size} rows at a time": "{where}: عباراتك لا تمرّ على {size} صفًّا في المرة",
    "{where}: no `{name}` statement is configured": "{where}: لا عبارة {name} في الإعدادات",
    "no `{name}` statement is configured": "لا عبارة {name} في الإعدادات",
    "the product has no SKU, and rows are matched by SKU": "ليس للمنتج رمز، والصفوف تُطابق بالرمز",
    "{count} rows match {name}": "يطابق {name} هذا العدد من الصفوف: {count}",
    "several products claim {name}": "عدة منتجات تطلب {name}",
    "products {ids} and {count} more bear the SKU {sku}": "المنتجات {ids} و{count} غيرها تحمل الرمز {sku}",
    "products {ids} bear the SKU {sku}": "المنتجات {ids} تحمل الرمز {sku}",
    "the target takes {value} and {other} (products {id} and {number}) for one row; give one of them another SKU":
        "يعدّ الهدف {value} و{other} (المنتجين {id} و{number}) صفًّا واحدًا؛ أعطِ أحدهما رمزًا آخر",
    "no `active` column is mapped, so the row cannot be deactivated":
        "لا عمود مربوط بـ active، فلا يمكن تعطيل الصفّ",
    "written without {names}: {reason}": "كُتب بلا {names}: {reason}",
    "the row is not there, or is another transaction's": "الصفّ غير موجود، أو تمسك به معاملة أخرى",
    "the target took the figure, but no such row is there afterwards": "قبل الهدف الرقم، ولا صفّ مثله بعد ذلك",
    "the target took the figure, but no such row is there afterwards: a trigger gave it another key":
        "قبل الهدف الرقم، ولا صفّ مثله بعد ذلك: أعطاه زناد مفتاحًا آخر",
    "the target took the figure, but no number is there afterwards": "قبل الهدف الرقم، ولا عدد هناك بعد ذلك",
    "the target took the new row, but it is not to be seen there afterwards":
        "قبل الهدف الصفّ الجديد، ولا يُرى هناك بعد ذلك",
    "it does not meet target.live": "لا يوافق target.live",
    "{count} rows are there after the figure was written": "بعد كتابة الرقم هناك هذا العدد من الصفوف: {count}",
    "column {name}: {reason}": "العمود {name}: {reason}",
    "{value} has more decimals than the {count} that the column keeps":
        "في {value} منازل أكثر من {count} التي يحفظها العمود",
    "{value} holds a character that databases do not keep": "في {value} محرف لا تحفظه قواعد البيانات",
    "{value} has a letter that the column's character set {kind} lacks":
        "في {value} حرف ليس في مجموعة محارف العمود {kind}",
    "{value} ends in a space, which a CHAR column does not keep": "ينتهي {value} بفراغ لا يحفظه عمود CHAR",
    "{value} is no UUID, which the column holds": "ليس {value} معرّف UUID كما يحفظه العمود",
    "{value} is not how a UUID is written: {other}": "لا يُكتب UUID هكذا {value}، بل: {other}",
    "{value} is none of the column's values: {values}": "ليس {value} من قيم العمود: {values}",
    "{value} is no plain whole number, which the column holds": "ليس {value} عددًا صحيحًا كما يحفظه العمود",
    "{value} is beyond what the column holds ({low} to {high})": "{value} خارج ما يحفظه العمود ({low} إلى {high})",
    "cannot be read: {words}": "لا يُقرأ: {words}",
    "no number": "لا عدد",
    "inactive {figure}": "معطّل {figure}",
    "{count} rows": "صفوف: {count}",
    "no location feeds it": "لا مستودع يغذّيه",
    "no cell of ours": "ليس من أرقامنا",
    # The state database.
    "the state database cannot be used now: {reason}": "لا يمكن استعمال قاعدة الحالة الآن: {reason}",
    "the state database refused: {words}": "رفضت قاعدة الحالة: {words}",
    "the state database cannot be read; the target keeps its figures, and polling goes on by itself once it is back: "
    "{reason}": "لا تُقرأ قاعدة الحالة؛ أرقام الهدف باقية، وتُستأنف القراءة وحدها حين تعود: {reason}",
    "waiting for the state database since {moment} ({span}): {reason}; the first try is under way, and polling begins "
    "by itself once it is there":
        "ننتظر قاعدة الحالة منذ {moment} ({span}): {reason}؛ المحاولة الأولى جارية، وتبدأ القراءة وحدها حين توجد",
    "waiting for the state database since {moment} ({span}): {reason}; the next try is at {other}, and polling begins "
    "by itself once it is there":
        "ننتظر قاعدة الحالة منذ {moment} ({span}): {reason}؛ المحاولة التالية {other}، وتبدأ القراءة وحدها حين توجد",
    "waiting for the process that holds the state since {moment} ({span}): {reason}; the next try is at {other}, and "
    "polling begins by itself once it is there":
        "ننتظر العملية التي تمسك بالحالة منذ {moment} ({span}): {reason}؛ المحاولة التالية {other}، "
        "وتبدأ القراءة وحدها حين تفرغ",
    "it has not answered yet": "لم تُجب بعد",
    "it does not answer": "لا تُجيب",
    "it is closed": "مغلقة",
    "the state {path} is in use by process {number}; stop it": "الحالة {path} تستعملها العملية {number}؛ أوقفها",
    "cannot make the lock file {path}: {words}": "لا يمكن إنشاء ملف القفل {path}: {words}",
    "{path} was removed or replaced while it was in use": "أُزيل {path} أو استُبدل وهو مستعمل",
    "{path} was removed or replaced while it was in use: {reason}": "أُزيل {path} أو استُبدل وهو مستعمل: {reason}",
    "{path} was overwritten while it was in use: {reason}": "كُتب فوق {path} وهو مستعمل: {reason}",
    "stop stocksync, put the file in its place, start it again": "أوقف stocksync، وضع الملف مكانه، ثم شغّله",
    "stop stocksync, start it again": "أوقف stocksync ثم شغّله",
    "stop stocksync, remove {name}-wal and {other}-shm, copy it again, start it":
        "أوقف stocksync، واحذف {name}-wal و{other}-shm، وانسخ الملف من جديد، ثم شغّله",
    "the state database has no tables of stocksync yet; type: {command}":
        "ليس في قاعدة الحالة جداول stocksync بعد؛ اكتب: `{command}`",
    "the state database is behind: it has schema {current}, needed is {wanted}; type: {command}":
        "قاعدة الحالة متأخّرة: مخطّطها {current} والمطلوب {wanted}؛ اكتب: `{command}`",
    "the state database was made by a newer stocksync (schema {current}): install that version, or name another "
    "database in state.url": "أنشأ قاعدةَ الحالة إصدارٌ أحدث (المخطّط {current}): ثبّته، أو سمِّ قاعدة أخرى في state.url",
    "the state holds a change of product {id} without a figure; please report this":
        "في الحالة تغيير للمنتج {id} بلا رقم؛ نرجو إبلاغنا بذلك",
    "the state database gave a decision no number; please report this":
        "لم تعطِ قاعدة الحالة القرار رقمًا؛ نرجو إبلاغنا بذلك",
    # Look-ups.
    "Qoyod refuses the credential": "يرفض قيود بيانات الدخول",
    "Qoyod refuses the question": "يرفض قيود السؤال",
    "Qoyod does not answer": "لا يُجيب قيود",
    "Qoyod cannot be asked": "لا يمكن سؤال قيود",
    "{reason} (this is the snapshot)": "{reason} (هذا ما حُفظ)",
    "this process is not the writer: nothing was pushed": "ليست هذه العملية الكاتبة: لم يُكتب شيء",
    "no poll has shown it, perhaps it is outside poll.filter: nothing was pushed":
        "لم تُظهره قراءة، ولعله خارج poll.filter: لم يُكتب شيء",
    "{count} changed figures wait for the next cycle, where the guards weigh them with all others":
        "أرقام تغيّرت وعددها {count} تنتظر الدورة التالية، فتزنها الحواجز مع غيرها",
    "a cycle is writing; what is new is written as soon as it has ended": "تكتب دورة الآن، ويُكتب الجديد حين تنتهي",
    "what is new is being written": "يُكتب الجديد الآن",
    "single products were asked for": "سُئل عن منتجات بأعيانها",
    "Qoyod's row cannot be read: {reason}": "لا يُقرأ صفّ قيود: {reason}",
    "the snapshot knows no product with the SKU {sku}": "ليس في المحفوظ منتج رمزه {sku}",
    "the snapshot knows no product with the id {id}": "ليس في المحفوظ منتج رقمه {id}",
    "Qoyod knows no product with the SKU {sku}": "لا يعرف قيود منتجًا رمزه {sku}",
    "Qoyod knows no product with the id {id}": "لا يعرف قيود منتجًا رقمه {id}",
    "Qoyod knows no product with the SKU {sku}, in none of the accounts {names}":
        "لا يعرف قيود منتجًا رمزه {sku} في أي من الحسابات {names}",
    "Qoyod knows no product with the id {id}, in none of the accounts {names}":
        "لا يعرف قيود منتجًا رقمه {id} في أي من الحسابات {names}",
    "Qoyod answered the SKU {sku} with SKU {other}: that is another product":
        "أجاب قيود عن الرمز {sku} بالرمز {other}: ذاك منتج آخر",
    "Qoyod answered the id {id} with SKU {other}: that is another product":
        "أجاب قيود عن الرقم {id} بالرمز {other}: ذاك منتج آخر",
    "did you mean {near}?": "أتقصد {near}؟",
    "product {id}, which has no SKU (stocksync stock --id {other})":
        "المنتج {id} وهو بلا رمز (stocksync stock --id {other})",
    "{sku} (the SKU of product {id})": "{sku} (رمز المنتج {id})",
    "did you mean the SKU {sku}, of product {id}?": "أتقصد الرمز {sku} للمنتج {id}؟",
    "the snapshot knows no product with SKU {sku}": "ليس في المحفوظ منتج رمزه {sku}",
    "look-ups have spent their share of the request budget; ask again in {seconds} s":
        "استنفدت الاستعلامات حصّتها من الطلبات؛ اسأل بعد {seconds} ثانية",
    # The page itself.
    "no answer within {seconds} s: try again later": "لا جواب خلال {seconds} ثانية: حاول لاحقًا",
    "too many requests at once: try again": "طلبات كثيرة معًا: حاول ثانية",
    "give either sku or id": "أعطِ sku أو id",
    "sku: at most {count} characters": "sku: لا يزيد على {count} محرفًا",
    "account: there are {names} (got {value})": "account: الحسابات هي {names} (والوارد {value})",
    "account: is needed, as there are {count}": "account: لا بدّ منه، فالحسابات {count}",
    "id: a positive number (got {value})": "id: عدد موجب (والوارد {value})",
    "there is no account {name}": "لا حساب باسم {name}",
    "{path} is asked by {names} alone": "لا يُسأل {path} إلا بـ {names}",
    "there is nothing at {path}": "لا شيء عند {path}",
    "unknown parameter {name}; there are {values} and {other}": "معامل غير معروف {name}؛ والمعروف: {values}، {other}",
    "Qoyod is asked by POST alone: POST /api/refresh?sku=… or ?id=…":
        "لا يُسأل قيود إلا بـ POST: POST /api/refresh?sku=… أو ?id=…",
    "this name is not served; use 127.0.0.1, or set http.token_env to use a proxy":
        "لا خدمة بهذا الاسم؛ استعمل 127.0.0.1، أو اضبط http.token_env لتستعمل وسيطًا",
    "set http.token_env to see more than {names} from elsewhere": "اضبط http.token_env لترى غير {names} من مكان آخر",
    "the token is missing or wrong: give one of [http] as the password, with any user":
        "الرمز ناقص أو خاطئ: اجعل أحد رموز [http] كلمة المرور، مع أي اسم",
    'this token may look and no more; to have Qoyod asked takes one with role = "refresh"':
        'هذا الرمز للنظر فقط؛ وسؤال قيود يحتاج رمزًا له role = "refresh"',
    "another site may not spend the request budget": "ليس لموقع آخر أن ينفق حصّة الطلبات",
}  # fmt: skip
