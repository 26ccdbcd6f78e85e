"""Copies with three words changed are found in scripts without spaces as in English, and other texts are not."""

from __future__ import annotations

import random

import pytest

from dq.dedup import deduplicate, plain
from dq.dedup.config import ShingleConfig

# Who, where, when, does what and with what, in the order of each language; written for this test.
WORDS = {
    "English": (
        "the farmer|my grandmother|an old teacher|the young doctor|our neighbour|a tall fisherman|the village chief",
        "at the market|near the river|behind the temple|under the big tree|in the new school|on the wooden bridge",
        "every morning|before sunrise|after the rain|during the festival|late in the evening|when the bell rings",
        "sells|carries|washes|counts|looks for|shows the children|gives away|brings back",
        "ripe mangoes|heavy baskets|white cloth|dried fish|old books|fresh flowers|clay pots|sweet rice cakes",
    ),
    "Khmer": (
        "កសិករ|ជីដូនរបស់ខ្ញុំ|គ្រូបង្រៀនចាស់|វេជ្ជបណ្ឌិតវ័យក្មេង|អ្នកជិតខាង|អ្នកនេសាទ|មេភូមិ",
        "លក់|លើកដាក់|លាងសម្អាត|រាប់|ស្វែងរក|បង្ហាញក្មេងៗនូវ|ចែកជូន|យកមកវិញនូវ",
        "ផ្លែស្វាយទុំ|កន្ត្រកធ្ងន់ៗ|ក្រណាត់ពណ៌ស|ត្រីងៀត|សៀវភៅចាស់ៗ|ផ្កាស្រស់|ឆ្នាំងដី|នំអន្សមផ្អែម",
        "នៅក្នុងផ្សារ|ក្បែរមាត់ទន្លេ|នៅក្រោយវត្ត|ក្រោមដើមឈើធំ|នៅសាលារៀនថ្មី|លើស្ពានឈើ",
        "រៀងរាល់ព្រឹក|មុនថ្ងៃរះ|ក្រោយភ្លៀង|ក្នុងពិធីបុណ្យ|នៅពេលល្ងាច|ពេលជួងរោទ៍",
    ),
    "Lao": (
        "ຊາວນາ|ແມ່ເຖົ້າຂອງຂ້ອຍ|ຄູສອນຜູ້ເຖົ້າ|ທ່ານໝໍໜຸ່ມ|ເພື່ອນບ້ານ|ຄົນຫາປາ|ນາຍບ້ານ",
        "ຂາຍ|ຫາບ|ຊັກລ້າງ|ນັບ|ຊອກຫາ|ສະແດງໃຫ້ເດັກນ້ອຍເຫັນ|ແຈກຢາຍ|ເອົາກັບຄືນມາ",
        "ໝາກມ່ວງສຸກ|ກະຕ່າໜັກໆ|ຜ້າສີຂາວ|ປາແຫ້ງ|ປຶ້ມເກົ່າ|ດອກໄມ້ສົດ|ໝໍ້ດິນ|ເຂົ້າຕົ້ມຫວານ",
        "ຢູ່ຕະຫຼາດ|ໃກ້ແມ່ນ້ຳ|ຫຼັງວັດ|ໃຕ້ຕົ້ນໄມ້ໃຫຍ່|ໃນໂຮງຮຽນໃໝ່|ເທິງຂົວໄມ້",
        "ທຸກໆເຊົ້າ|ກ່ອນຕາເວັນຂຶ້ນ|ຫຼັງຝົນຕົກ|ໃນງານບຸນ|ຕອນຄ່ຳ|ເມື່ອລະຄັງດັງ",
    ),
    "Burmese": (
        "လယ်သမားသည်|ကျွန်ုပ်၏အဘွားသည်|ဆရာအိုကြီးသည်|ဆရာဝန်လေးသည်|အိမ်နီးချင်းသည်|တံငါသည်သည်|ရွာသူကြီးသည်",
        "မနက်တိုင်း|နေမထွက်မီ|မိုးရွာပြီးနောက်|ပွဲတော်အတွင်း|ညနေစောင်းတွင်|ခေါင်းလောင်းထိုးချိန်၌",
        "ဈေးထဲတွင်|မြစ်ကမ်းနားမှာ|ဘုရားကျောင်းနောက်၌|သစ်ပင်ကြီးအောက်တွင်|ကျောင်းသစ်၌|သစ်သားတံတားပေါ်မှာ",
        "သရက်သီးမှည့်များကို|လေးလံသောခြင်းတောင်းများကို|အဝတ်ဖြူကို|ငါးခြောက်ကို|စာအုပ်ဟောင်းများကို|ပန်းလတ်များကို|မြေအိုးများကို",
        "ရောင်းသည်|သယ်ဆောင်သည်|ဆေးကြောသည်|ရေတွက်သည်|ရှာဖွေသည်|ကလေးများအားပြသည်|ပေးကမ်းသည်|ပြန်ယူလာသည်",
    ),
    "Tibetan": (
        "ཞིང་པས་|ངའི་རྨོ་མོས་|དགེ་རྒན་རྒན་པས་|སྨན་པ་གཞོན་ནུས་|ཁྱིམ་མཚེས་ཀྱིས་|ཉ་པས་|གྲོང་དཔོན་གྱིས་",
        "ཞོགས་པ་ལྟར་|ཉི་མ་མ་ཤར་གོང་|ཆར་བབས་རྗེས་|དུས་ཆེན་སྐབས་|དགོང་མོ་|དྲིལ་བུ་བརྡུང་དུས་",
        "ཁྲོམ་ར་ནས་|ཆུ་འགྲམ་དུ་|དགོན་པའི་རྒྱབ་ཏུ་|ཤིང་སྡོང་ཆེན་པོའི་འོག་ཏུ་|སློབ་གྲྭ་གསར་པ་ནས་|ཤིང་ཟམ་སྒང་དུ་",
        "ཨམ་སྨིན་པ་|སླེ་པོ་ལྗིད་པོ་|རས་དཀར་པོ་|ཉ་སྐམ་པོ་|དཔེ་ཆ་རྙིང་པ་|མེ་ཏོག་གསར་པ་|རྫ་མ་|འབྲས་མངར་མོ་",
        "འཚོང་གི་འདུག|འཁྱེར་གྱི་འདུག|འཁྲུད་ཀྱི་འདུག|བགྲང་གི་འདུག|འཚོལ་གྱི་འདུག|ཕྲུ་གུར་སྟོན་གྱི་འདུག|སྦྱིན་གྱི་འདུག|ཕྱིར་འཁྱེར་གྱི་འདུག",
    ),
}
ENDS = {"English": ". ", "Khmer": "។ ", "Lao": " ", "Burmese": "။ ", "Tibetan": "། "}
SIZES = {"short": 30, "long": 60}  # sentences; the long ones have 2,000 characters and more


def sentences(script: str, n: int, seed: int) -> list[list[str]]:
    """Sentences as lists of words."""
    draw, parts = random.Random(seed), [words.split("|") for words in WORDS[script]]
    return [[draw.choice(words) for words in parts] for _ in range(n)]


def written(script: str, text: list[list[str]]) -> str:
    between = " " if script == "English" else ""
    return "".join(between.join(words) + ENDS[script] for words in text)


def edited(script: str, text: list[list[str]], seed: int) -> list[list[str]]:
    """The same text with three words, in three sentences, replaced by others."""
    draw, copy = random.Random(seed), [list(words) for words in text]
    for row in draw.sample(range(len(copy)), 3):
        part = draw.randrange(len(copy[row]))
        copy[row][part] = draw.choice([word for word in WORDS[script][part].split("|") if word != copy[row][part]])
    return copy


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("script", WORDS)
def test_three_words_changed_are_found_and_other_texts_of_the_subject_stay(script: str, size: str) -> None:
    texts = [sentences(script, SIZES[size], seed) for seed in range(12)]
    copies = [edited(script, text, seed) for seed, text in enumerate(texts)]
    documents = [written(script, text) for text in [*texts, *copies]]
    assert size == "short" or min(map(len, documents)) >= 2_000
    found = deduplicate(documents)
    groups = found["cluster"].to_list()
    assert found["kept_index"].n_unique() == 12 and set(groups) == {2}
    assert not found["exact"].any()
    for row, kept in enumerate(found["kept_index"]):
        assert kept % 12 == row % 12
    proven = plain.similarity(documents[0], documents[12], ShingleConfig())
    removed = 12 if found["kept_index"][0] == 0 else 0
    assert found["similarity"][removed] == pytest.approx(proven)
