"""Chinese search by pairs of characters, split alike at build time and in the browser.

Sphinx's own Chinese search cuts the pages into words (with jieba, else not at all) but never cuts
what the reader types, so it finds no query that is longer than one word of its dictionary.
"""

import re

import snowballstemmer
from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

CHARACTERS = r"[\u3400-\u9fff\uf900-\ufaff]"
RUN = re.compile(f"{CHARACTERS}+")


class SearchChinesePairs(SearchChinese):
    # `var`, because Sphinx's own script declares the name too and gives way to this one.
    js_splitter_code = (
        """
var splitQuery = (query) => {
  const chinese = /^CHARACTERS/;
  const terms = query.match(/CHARACTERS+|(?:(?!CHARACTERS)[\\p{Letter}\\p{Number}_])+/gu) || [];
  return terms.flatMap((term) =>
    chinese.test(term) && term.length > 1
      ? Array.from({ length: term.length - 1 }, (_, i) => term.slice(i, i + 2))
      : [term]);
};
"""
    ).replace("CHARACTERS", CHARACTERS)

    def init(self, options: dict[str, str]) -> None:
        self.stemmer = snowballstemmer.stemmer("english")
        self.latin_terms = set()

    def split(self, input: str) -> list[str]:
        terms = []
        for run in RUN.findall(input):
            terms += run  # single characters, for a query of one
            terms += [run[i : i + 2] for i in range(len(run) - 1)]
        latin = self.latin1_letters.findall(input)
        self.latin_terms.update(latin)
        return terms + latin

    def word_filter(self, stemmed_word: str) -> bool:
        return len(stemmed_word) > 1 or bool(RUN.match(stemmed_word))


def setup(app: Sphinx) -> None:
    app.add_search_language(SearchChinesePairs)
