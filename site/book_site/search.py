"""Search takes British and American spellings for the same word.

The index holds the stem of each word, and the browser looks up the stems of what was typed. Both
sides first spell a word the American way, by one list of rules, which Sphinx's stemmer is made for.
"""

import json
import re

from sphinx.search.en import SearchEnglish

# A pattern, which means the same to Python and to JavaScript, and what takes its place. A rule may
# change a word that has no other spelling (noise): both sides change it alike.
SPELLINGS = [
    ("is(?=(?:e|ed|er|ers|es|ing|able|ation|ations)$)", "iz"),
    ("ys(?=(?:e|ed|er|ers|es|ing)$)", "yz"),
    ("(?<=...)our(?=(?:s|ed|ing|ful|less|al|ite)?$)", "or"),
    ("^centr(?=(?:e|ed|es|ing)$)", "center"),
    ("^grey", "gray"),
]
JAVASCRIPT = """
const BookPlainStemmer = Stemmer;
Stemmer = function () {
  const plain = new BookPlainStemmer();
  const rules = %s.map(([pattern, other]) => [new RegExp(pattern), other]);
  const american = (word) => rules.reduce((text, [old, other]) => text.replace(old, other), word);
  this.stemWord = (word) => plain.stemWord(american(word));
};
"""


class EitherSpelling(SearchEnglish):
    """Sphinx's English search, in which "colour" and "color" are one word."""

    js_stemmer_code = SearchEnglish.js_stemmer_code + JAVASCRIPT % json.dumps(SPELLINGS)

    def stem(self, word: str) -> str:
        """The stem of a word's American spelling."""
        word = word.lower()
        for pattern, other in SPELLINGS:
            word = re.sub(pattern, other, word, count=1)
        return super().stem(word)


def setup(app):
    """Take the place of Sphinx's English search."""
    app.add_search_language(EitherSpelling)
