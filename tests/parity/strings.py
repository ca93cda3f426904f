"""100,000 strings of every kind that may reach a tokenizer; the same ones on every machine and Python.

Only `Random.random` is used of the random module, the one method whose sequence is promised; and only characters that Unicode
3.2 had, private ones and newer emoji, since what a newer character is depends on the Python at hand.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

COUNT = 100_000
BLOCK = 1_000


def _words(lines: str) -> list[str]:
    return lines.split()


ENGLISH = _words(
    """
    a an the photo picture of dog cat two children playing on beach with red ball in front old house man woman riding
    bicycle through city street at night isn't they're we'll I've you'd it's I'm dogs' snow-covered mountains under blue
    sky 3 2021 close-up black and white drawing running jumping across grass water supercalifragilistic CLIP iPhone NASA
    e.g. U.S.A. bird's-eye view café naïve Zürich São Paulo Ångström fiancée coöperate señor crème brûlée façade Dvořák
    Łódź Øre þing ßtraße
    """
)
MARKS = (
    " ",
    " ",
    " ",
    ", ",
    ". ",
    "! ",
    "? ",
    " - ",
    "... ",
    "; ",
    ": ",
    " (",
    ") ",
    ' "',
    '" ',
    "\u2019s ",
    " \u201c",
    "\u201d ",
    "\u2014",
)
CHINESE = (
    "一只狗在草地上奔跑两个孩子海滩玩球红色汽车停路边老人骑自行车穿过城市街道夜晚雪山蓝天下的猫图片照片黑白特写女人微笑男人看书"
    "飞机起降机场火车站台食物水果苹果香蕉面条米饭咖啡杯子桌子椅子窗户门口树木花朵河流湖泊海洋沙漠森林动物园熊猫老虎大象长颈鹿"
    "，。！？、；：“”《》（）—…·"
)
OTHER_SCRIPTS = (
    "собака бежит по траве Москва Ёлка",
    "שלום עולם כֶּלֶב רָץ",
    "مرحبا بالعالم كَلْبٌ",
    "犬が走る カタカナ ひらがな ｶﾀｶﾅ",
    "개가 달린다 한국어 각",
    "नमस्ते दुनिया क्षत्रिय",
    "สวัสดีชาวโลก",
    "Γειά σου Κόσμε ΟΔΟΣ ΣΊΣΥΦΟΣ Σ",
    "İstanbul Iğdır ışık İİ ıI DİYARBAKIR",
    "ﬁne ﬂow oﬃce ﬀ ﬆ ĳ Ǆ ǅ ſtraſſe ſ it'ſ K Å Ω",
    "ＦＵＬＬ ｗｉｄｔｈ １２３ ！？",
    "Ⅷ ⅷ ½ ² ③ ௰ ൰ 〇 〡 ٣ ४ ߁",
)
EMOJI = _words(
    r"""
    😀 😂 🤣 🥺 🫠 🐶 🐱 🚗 🍎 ❤️ ☀️ ✈ 👍🏽 🤷🏾‍♀️ 👨‍👩‍👧‍👦 👩🏻‍🚀 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇨🇳 🇬🇧🇫🇷 1️⃣ #️⃣ *⃣ ©️ ™ ❗ ㊙️ 🈁
    🎉🎉 💯 👁️‍🗨️ 🧑‍🤝‍🧑 ᵔᴥᵔ ¯\_(ツ)_/¯ (╯°□°)╯ :-) <3 :D
    """
)
CODE = (
    "def f(x: int) -> str:\n\treturn str(x)  # comment",
    "for (int i = 0; i < n; ++i) { a[i] *= 2; }",
    "SELECT * FROM t WHERE id != 'x' AND n >= 10;",
    '<div class="a b">&nbsp;text</div>',
    "https://example.com/a/b.html?q=1&r=%20#frag",
    "C:\\Users\\me\\file_name-v2.tar.gz",
    '{"key": [1, 2.5e-3, null, true]}',
    "git commit -m 'fix: it''s' && make -j2 | tee log.txt",
    "\\alpha^{2}_{i} = \\frac{1}{2} $x$ @user #tag_one C++ C# .NET v1.2.3",
    "if __name__ == '__main__': print(f'{x!r:>10}')",
    "0xDEADBEEF 1_000_000 3.14159 1e10 12:34:56 2024-01-31",
)
ENTITIES = _words(
    """
    &amp; &lt; &gt; &quot; &#39; &#x27; &nbsp; &eacute; &copy; &hearts; &amp;amp; &amp;lt;b&amp;gt; &amp;#233; &notit;
    &#0; &#x80; &#x85; &#xD800; &#x110000; &#12; &#x1c; &NewLine; &Tab; &bogus; & &; &# &#x; &AMP &lt
    &CounterClockwiseContourIntegral; &nGt; &#x130; &Sigma; &#931; <b>bold</b> <br/> &thinsp; &zwj; &shy;
    """
)
SPECIALS = _words(
    """
    <|startoftext|> <|endoftext|> <start_of_text> <end_of_text> <|STARTOFTEXT|> <START_OF_TEXT> <|ſtartoftext|>
    <ſtart_of_text> !<|endoftext|> <|endoftext|>! <|startoftext|><|endoftext|> a<|endoftext|>b <<|endoftext|>> [CLS] [SEP]
    [PAD] [UNK] [MASK] [cls] <|startoftext <|endof text|> 's<|endoftext|> '<|endoftext|> <end_of_text><start_of_text>
    -<end_of_text> ##ing </w> Ġ Ċ <|im_start|>
    """
)
HF_SPECIALS = _words("<s> </s> <pad> <unk> <mask> [PAD] [SEP] [CLS] [MASK] <S> <Mask> </s><s> &lt;/s&gt; <extra_id_0> ▁ ▁the")
SPACES = "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = (
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad\u034f\u061c\u180e\u202a\u202e\u2066\u2069\ufe0f\ufe0e\U000e0041\ufffd\ufffc"
)
COMBINING = "".join(map(chr, (0x300, 0x301, 0x303, 0x307, 0x308, 0x323, 0x327, 0x332, 0x345, 0x483, 0x5B4, 0x64B, 0x670)))
COMBINING += "\u093c\u094d\u0e34\u20d0\u20dd\u20e3\u3099\ufe20"
CODECS = ("latin-1", "cp1252", "cp1251", "cp437", "mac_roman", "gbk")


def strings() -> Iterator[str]:
    """The strings, in order, no two alike; their kinds take turns, so every block of 1,000 has all of them."""
    random = Random(20240131)
    makers = list(KINDS.values())
    earlier = set()
    for number in range(COUNT):
        text = makers[number % len(makers)](_Draw(random))
        if text in earlier:
            text += f" {number}"
        earlier.add(text)
        yield text


def special_strings() -> list[str]:
    """1,000 more, with the special tokens of Hugging Face's vocabularies in running text."""
    draw = _Draw(Random(20240132))
    return [_sprinkle(draw, draw.some(ENGLISH, 0, 12, " "), HF_SPECIALS, draw.one((" ", ""))) for _ in range(BLOCK)]


def kind_of(number: int) -> str:
    return list(KINDS)[number % len(KINDS)] if number < COUNT else "special tokens of Hugging Face"


class _Draw:
    def __init__(self, random: Random) -> None:
        self._random = random

    def below(self, end: int) -> int:
        return int(self._random.random() * end)

    def one(self, of: Sequence[str]) -> str:
        return of[self.below(len(of))]

    def some(self, of: Sequence[str], least: int, most: int, between: str = "") -> str:
        return between.join(self.one(of) for _ in range(least + self.below(most - least + 1)))


def _english(draw: _Draw) -> str:
    words = [draw.one(ENGLISH) + draw.one(MARKS) for _ in range(2 + draw.below(16))]
    text = "".join(words)
    return (text, text.strip(), text.capitalize(), text.upper(), text.title())[draw.below(5)]


def _chinese(draw: _Draw) -> str:
    return draw.some(CHINESE, 1, 40)


def _mixed(draw: _Draw) -> str:
    parts = [
        draw.one(ENGLISH),
        draw.some(CHINESE, 1, 8),
        draw.one(OTHER_SCRIPTS),
        draw.one(EMOJI),
        draw.one(CODE),
        str(draw.below(10**6)),
    ]
    return draw.some(parts, 2, 6, draw.one(("", " ", ", ")))


def _emoji(draw: _Draw) -> str:
    return draw.some(EMOJI, 1, 8, draw.one(("", " "))) + draw.one(("", draw.one(ENGLISH), draw.some(CHINESE, 1, 4)))


def _code(draw: _Draw) -> str:
    text = draw.some(CODE, 1, 3, draw.one(("\n", " ", "\r\n", "\t")))
    start = draw.below(len(text) // 2)
    return text[start : start + 8 + draw.below(200)]


def _control(draw: _Draw) -> str:
    controls = [chr(i) for i in (*range(0x20), *range(0x7F, 0xA0))] + ["\x1b[31m", "\x1b[0m", "\r\n"]
    return _sprinkle(draw, draw.some(ENGLISH, 1, 8, " "), controls)


def _entities(draw: _Draw) -> str:
    text = _sprinkle(draw, draw.some(ENGLISH, 1, 6, " "), ENTITIES)
    return text.replace("<", "") if draw.below(2) else text  # ftfy leaves entities alone where it sees a tag


def _mojibake(draw: _Draw) -> str:
    text = draw.one(
        (
            draw.some(ENGLISH, 3, 10, " ") + "é\u2019s",
            draw.some(CHINESE, 3, 12),
            draw.one(OTHER_SCRIPTS),
            draw.some(EMOJI, 1, 4),
        )
    )
    broken = text.encode("utf-8").decode(draw.one(CODECS), "ignore")
    twice = draw.below(4) == 0
    return broken.encode("utf-8").decode(draw.one(CODECS[:2]), "ignore") if twice else broken


def _long(draw: _Draw) -> str:
    unit = draw.one(
        (
            draw.one(ENGLISH),
            draw.some(CHINESE, 1, 9),
            draw.one(EMOJI),
            draw.one("abAB19!.=- "),
            draw.one(CODE),
            draw.one(OTHER_SCRIPTS),
        )
    )
    size = (100, 200, 400)[draw.below(3)] if draw.below(100) else (2_000, 10_000)[draw.below(2)]
    between = draw.one(("", " ")) if size <= 400 else " "  # the originals take minutes over a word of 10,000 letters
    return between.join([unit] * (size // len(unit)))


def _scripts(draw: _Draw) -> str:
    return draw.some(OTHER_SCRIPTS, 1, 3, draw.one(("", " ")))


def _odd_letters(draw: _Draw) -> str:
    return draw.some(_characters(), 1, 24, draw.one(("", "", " ", "a")))


def _combining(draw: _Draw) -> str:
    return _sprinkle(
        draw, draw.one((draw.some(ENGLISH, 1, 5, " "), draw.some(CHINESE, 2, 8), draw.one(OTHER_SCRIPTS))), COMBINING
    )


def _invisible(draw: _Draw) -> str:
    return _sprinkle(
        draw, draw.one((draw.some(ENGLISH, 1, 5, " "), draw.some(CHINESE, 2, 8), draw.one(OTHER_SCRIPTS))), INVISIBLE + "\0"
    )


def _spaces(draw: _Draw) -> str:
    return draw.some(SPACES, 0, 3) + _sprinkle(draw, draw.some(ENGLISH, 0, 5, " "), SPACES) + draw.some(SPACES, 0, 3)


def _private(draw: _Draw) -> str:
    ends = ((0xE000, 0xF8FF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD), (0xFDD0, 0xFDEF), (0x1FFFE, 0x1FFFF))
    first, last = ends[draw.below(len(ends))]
    return _sprinkle(draw, draw.some(ENGLISH, 1, 4, " "), [chr(first + draw.below(last - first + 1)) for _ in range(4)])


def _specials(draw: _Draw) -> str:
    return _sprinkle(draw, draw.some(ENGLISH, 0, 4, " "), SPECIALS, draw.one((" ", "")))


def _sigmas(draw: _Draw) -> str:
    return draw.some(
        ["Σ", "ΑΣ", "ΟΔΟΣ", "σ", "ς", "I", "İ", "ı", "\u0307", "a", ".", " ", "\u00ad", "\0", "\u200b", "'", "中", "Ǆ", "ẞ"],
        1,
        16,
    )


def _ascii(draw: _Draw) -> str:
    return draw.some([chr(i) for i in range(32, 127)], 0, 80)


def _kanji(draw: _Draw) -> str:
    ends = (
        (0x3400, 0x4DB5),
        (0x4E00, 0x9FA5),
        (0x20000, 0x2A6D6),
        (0xF900, 0xFA2D),
        (0x2F800, 0x2FA1D),
        (0x2B820, 0x2B91F),
        (0x3041, 0x30FE),
    )
    chosen = [ends[draw.below(len(ends))] for _ in range(4)]
    letters = [chr(first + draw.below(last - first + 1)) for first, last in chosen]
    return draw.some([*letters, "狗", "a", "é", ",", " "], 1, 20)


def _contractions(draw: _Draw) -> str:
    tails = [
        "'s",
        "'S",
        "'t",
        "'re",
        "'RE",
        "'ve",
        "'m",
        "'ll",
        "'Ll",
        "'d",
        "'x",
        "'",
        "''",
        "\u2019s",
        "'ſ",
        "'sx",
        "'lls",
        "9's",
        "!'s",
        "`s",
        "´s",
    ]
    return draw.some([draw.one(ENGLISH) + draw.one(tails) for _ in range(4)], 1, 6, draw.one(("", " ")))


KINDS: dict[str, Callable[[_Draw], str]] = {
    "english": _english,
    "chinese": _chinese,
    "mixed": _mixed,
    "emoji": _emoji,
    "code": _code,
    "control characters": _control,
    "entities": _entities,
    "mojibake": _mojibake,
    "long": _long,
    "scripts": _scripts,
    "odd letters": _odd_letters,
    "combining marks": _combining,
    "invisible": _invisible,
    "spaces": _spaces,
    "private use": _private,
    "special tokens": _specials,
    "sigmas": _sigmas,
    "ascii": _ascii,
    "ideographs": _kanji,
    "contractions": _contractions,
}


def _sprinkle(draw: _Draw, text: str, things: Sequence[str], around: str = "") -> str:
    """The text with one to six things put into it, or the things alone."""
    for _ in range(1 + draw.below(6)):
        at = draw.below(len(text) + 1)
        text = text[:at] + around + draw.one(things) + around + text[at:]
    return text


@cache
def _characters() -> list[str]:
    """Every character of Unicode 3.2 but ideographs, hangul syllables, private ones and surrogates."""
    old = unicodedata.ucd_3_2_0
    skipped = ((0x3400, 0x9FFF), (0xAC00, 0xF8FF), (0x20000, 0x10FFFF))
    codes = (code for code in range(0x20000) if not any(first <= code <= last for first, last in skipped))
    return [chr(code) for code in codes if old.category(chr(code)) != "Cn"]
