"""Rules made for words, spaces or English do not judge scripts without spaces, and say so."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dq.files import filter_files, score_files
from dq.interop.huggingface import Judge
from dq.interop.polars import judge as judge_frame
from dq.quality import Rule, RuleSet, judge_texts, presets, score

from .fetched import usable_presets

ENGLISH = "The market opened at six, and the first people to come were those who have the boats by the old harbour. "
PROSE = {
    "Chinese": "清晨六点,老城的市场已经开门。卖菜的人把刚摘下来的青菜一把一把地摆好,"
    "空气里有泥土和雨水的味道。我们沿着河边慢慢走,听见远处的钟声,也听见孩子们在桥上说笑。祖母说,几十年前这里只有一条小路,如今却成了全城最热闹的地方。",
    "Japanese": "朝の六時に、古い町の市場はもう開いていた。"
    "野菜を売る人たちは、摘んだばかりの青菜をていねいに並べている。"
    "川沿いをゆっくり歩くと、遠くから鐘の音が聞こえ、橋の上では子どもたちが笑っていた。祖母の話では、昔ここには細い道が一本あっただけだという。",
    "Thai": "ตลาดในเมืองเก่าเปิดตั้งแต่หกโมงเช้า คนขายผักวางผักสดที่เพิ่งเก็บมาเป็นแถวยาว อากาศมีกลิ่นดินและกลิ่นฝน "
    "เราเดินช้าๆ ไปตามริมแม่น้ำและได้ยินเสียงระฆังจากที่ไกลๆ ยายเล่าว่าเมื่อหลายสิบปีก่อนที่นี่มีเพียงทางเดินเล็กๆ เส้นเดียว",
    "Lao": "ຕະຫຼາດໃນເມືອງເກົ່າເປີດຕັ້ງແຕ່ຫົກໂມງເຊົ້າ ຄົນຂາຍຜັກວາງຜັກສົດທີ່ຫາກໍເກັບມາເປັນແຖວຍາວ ອາກາດມີກິ່ນດິນແລະກິ່ນຝົນ "
    "ພວກເຮົາຍ່າງຊ້າໆຕາມແຄມແມ່ນ້ຳແລະໄດ້ຍິນສຽງລະຄັງຈາກທີ່ໄກ",
    "Khmer": "ផ្សារក្នុងទីក្រុងចាស់បើកតាំងពីម៉ោងប្រាំមួយព្រឹក។ អ្នកលក់បន្លែរៀបចំបន្លែស្រស់ៗជាជួរវែង ហើយខ្យល់មានក្លិនដីនិងភ្លៀង។ "
    "យើងដើរយឺតៗតាមមាត់ទន្លេ ហើយឮសំឡេងជួងពីចម្ងាយ។",
    "Burmese": "မြို့ဟောင်းရှိဈေးသည် မနက်ခြောက်နာရီကတည်းက ဖွင့်ထားပြီးဖြစ်သည်။ ဟင်းသီးဟင်းရွက်ရောင်းသူများက လတ်ဆတ်သော "
    "ဟင်းရွက်များကို စီတန်းထားကြသည်။ ကျွန်ုပ်တို့သည် မြစ်ကမ်းတစ်လျှောက် ဖြည်းဖြည်းလျှောက်ခဲ့ကြသည်။",
    "Tibetan": "གྲོང་ཁྱེར་རྙིང་པའི་ཁྲོམ་ར་དེ་ཞོགས་པའི་ཆུ་ཚོད་དྲུག་པ་ནས་སྒོ་ཕྱེ་ཡོད། ཚལ་འཚོང་མཁན་ཚོས་ཚལ་གསར་པ་རྣམས་གྲལ་བསྒྲིགས་ནས་བཞག་འདུག "
    "ང་ཚོ་ཆུ་འགྲམ་བརྒྱུད་ནས་དལ་པོར་ཕྱིན་པ་ཡིན།",
}
SPACED = {
    "English": ENGLISH,
    "Hindi": "सुबह छह बजे पुराने शहर का बाज़ार खुल चुका था और लोग ताज़ी सब्ज़ियाँ सजा रहे थे।",
    "Arabic": "في السادسة صباحا كان سوق المدينة القديمة قد فتح أبوابه وكان الباعة يرتبون الخضار.",
    "Korean": "아침 여섯 시에 옛 도시의 시장은 벌써 문을 열었고 사람들은 채소를 가지런히 놓고 있었다.",
    "Russian": "В шесть утра рынок старого города уже открылся, и люди раскладывали свежие овощи.",
}


@pytest.mark.parametrize("script", PROSE)
def test_good_prose_is_kept_by_every_preset_and_the_verdict_names_what_did_not_judge_it(script: str) -> None:
    text = "\n\n".join([PROSE[script]] + [PROSE[script][k:] for k in (7, 19, 31)])
    for name, rules in usable_presets().items():
        row = judge_texts([text], rules).row(0, named=True)
        assert row["keep"], (name, row["reasons"])
        assert row["script"] == script
        assert row["not_judged"] == [
            rule.reason
            for rule in rules.rules
            if rule.signals() != rule.signals(strict=True) and rule.script_signal is not None
        ]
    strict = judge_texts([text], presets.gopher_quality(), strict=True).row(0, named=True)
    assert not strict["keep"] and strict["script"] is None


@pytest.mark.parametrize("language", SPACED)
def test_text_with_spaces_is_judged_by_every_rule(language: str) -> None:
    found = judge_texts([SPACED[language] * 4], presets.fineweb()).row(0, named=True)
    assert (found["script"], found["not_judged"]) == (None, [])
    anyway = judge_texts([SPACED[language] * 4], presets.fineweb().for_any_script()).row(0, named=True)
    assert anyway["reasons"] == found["reasons"]


def test_a_text_is_of_a_script_that_has_more_than_half_of_its_letters() -> None:
    thai = "ก" * 10
    assert score(
        [thai + "a" * 9, thai + "a" * 10, thai + "я" * 9, thai + "я" * 10], ["spaceless_script"]
    ).to_series().to_list() == [3, 0, 3, 0]
    assert score(
        ["漢字" * 20 + "かな", "漢字かなまじり文", "五十 50 % !"], ["spaceless_script"]
    ).to_series().to_list() == [1, 2, 1]


def test_every_rule_judges_where_asked() -> None:
    thai = PROSE["Thai"]
    assert "too_few_words" in judge_texts([thai], presets.gopher_quality().for_any_script())["reasons"][0]
    own = RuleSet(name="own", rules=(Rule(signal="word_count", minimum=500, reason="short", any_script=True),))
    assert judge_texts([thai], own)["reasons"][0].to_list() == ["short"]


def test_rules_of_any_text_judge_scripts_without_spaces_too() -> None:
    page = "\n".join([PROSE["Chinese"]] * 4)
    assert "too_many_duplicate_lines" in judge_texts([page], presets.gopher_repetition())["reasons"][0]


@pytest.mark.parametrize("script", [name for name in PROSE if name != "Tibetan"])
def test_a_dictionary_finds_words_and_lets_rules_of_words_judge(script: str) -> None:
    pytest.importorskip("icu4py")
    text = PROSE[script]
    names = ["word_count", "unsegmented_script"]
    plain, found = score([text], names).row(0), score([text], names, words="dictionary").row(0)
    assert found[0] > 1.5 * plain[0]
    assert plain[1] > 0 and found[1] == 0
    row = judge_texts([text * 8], presets.gopher_repetition(), words="dictionary").row(0, named=True)
    assert "top_2_gram_too_frequent" not in row["not_judged"]
    assert "too_many_duplicate_5_grams" in row["reasons"]
    assert "too_few_stop_words" in judge_texts([text], presets.gopher_quality(), words="dictionary")["not_judged"][0]


def test_files_and_adapters_report_what_was_not_judged(tmp_path: Path) -> None:
    texts = [PROSE["Thai"], PROSE["Thai"] * 2, ENGLISH * 5]
    pl.DataFrame({"id": ["a", "b", "c"], "text": texts}).write_parquet(tmp_path / "in.parquet")
    done = filter_files([str(tmp_path / "in.parquet")], presets.gopher_quality(), kept=tmp_path / "kept")
    assert done.by_script.row(0)[:3] == ("Thai", 2, 2)
    assert "too_few_words" in done.by_script["not_judged"][0]
    assert Judge(presets.gopher_quality())({"text": texts})["script"] == ["Thai", "Thai", None]
    for output in ("all.parquet", "all.parquet", "all.csv"):  # a finished table tells it too
        scored = score_files([str(tmp_path / "in.parquet")], tmp_path / output)
        assert scored.by_script.row(0)[:2] == ("Thai", 2)
        assert {"word_count", "c4_kept_sentence_count"} < set(scored.by_script["signals"][0])
        assert "char_count" not in scored.by_script["signals"][0]
    few = score_files([str(tmp_path / "in.parquet")], tmp_path / "few.parquet", signals=["word_count"])
    assert few.by_script.row(0) == ("Thai", 2, ["word_count"])
    assert pl.read_parquet(tmp_path / "few.parquet").columns == ["id", "source", "word_count"]
    any_text = score_files([str(tmp_path / "in.parquet")], tmp_path / "any.parquet", signals=["char_count"])
    assert any_text.by_script.is_empty()
    assert judge_frame(pl.Series(texts), presets.gopher_quality())["script"].to_list() == ["Thai", "Thai", None]
