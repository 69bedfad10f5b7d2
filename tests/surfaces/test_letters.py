import numpy as np
import pytest
import tensorflow as tf

from tfrec.surfaces import letters
from tfrec.surfaces.letters import TextIndex, cut, group_buckets, word_buckets, words_of


def words(text):
    (found,) = words_of(tf.constant([text])).to_list()
    return [word.decode() for word in found]


@pytest.mark.parametrize("text, expected", [
    ("Red  KÄSE-22cm!", ["red", "kase", "22cm"]),
    ("\uff46\uff55\uff4c\uff4c Straße", ["full", "strasse"]),
    ("红色 连衣裙", ["红色", "连衣裙"]),
    ("🎄🎁 ?!", []),
    ("'; DROP TABLE items; --", ["drop", "table", "items"]),
    (b"\xff\xfe mug", ["mug"]),
    ("", []),
])  # fmt: skip
def test_words_are_letters_and_digits_without_case_and_accents(text, expected):
    assert words(text) == expected


def test_long_texts_are_cut():
    assert cut(tf.constant(["é" * 300, "ab"])).numpy()[0].decode() == "é" * 256
    assert words("a" * 10_000) == ["a" * 256]


def test_groups_have_the_ends_of_a_word_and_stay_inside_it(monkeypatch):
    seen = []
    hashed = tf.strings.to_hash_bucket_fast

    def recorded(values, size):
        seen.extend(value.decode() for value in values.numpy())
        return hashed(values, size)

    monkeypatch.setattr(letters.tf.strings, "to_hash_bucket_fast", recorded)
    buckets = group_buckets(words_of(tf.constant(["ab 红", ""])))
    assert sorted(seen) == sorted(["_a", "ab", "b_", "_ab", "ab_", "_ab_", "_红", "红_", "_红_"])
    assert buckets.row_lengths().numpy().tolist() == [9, 0]


def fits(texts, query, of=word_buckets):
    index = TextIndex(of(words_of(tf.constant(texts))), letters.GROUP_BUCKETS)
    share, cosine = index.fits(of(words_of(tf.constant([query]))))
    return share.numpy()[0], cosine.numpy()[0]


def test_share_and_cosine_weigh_words_by_their_rarity():
    share, cosine = fits(["red mug", "red plate mug", "lamp"], "red Lamp lamp zebra")
    red, lamp, zebra = np.log1p(3 / 2), np.log1p(3), np.log1p(3)
    whole = red**2 + lamp**2 + zebra**2
    mug, plate = np.log1p(3 / 2), np.log1p(3)
    expected = np.array([red**2, red**2, lamp**2])
    np.testing.assert_allclose(share, [0, *expected / whole], rtol=1e-5)
    norms = np.sqrt([red**2 + mug**2, red**2 + mug**2 + plate**2, lamp**2])
    np.testing.assert_allclose(cosine, [0, *expected / norms / np.sqrt(whole)], rtol=1e-5)


def test_the_same_words_in_another_order_fit_fully():
    share, cosine = fits(["red mug", "blue mug"], "MUG red", of=group_buckets)
    np.testing.assert_allclose([share[1], cosine[1]], 1, rtol=1e-5)
    assert share[2] < 0.8 and cosine[2] < 0.8


def test_a_typo_leaves_most_groups_whole():
    by_words, _ = fits(["cotton dress", "usb cable"], "coton drses")
    by_groups, _ = fits(["cotton dress", "usb cable"], "coton drses", of=group_buckets)
    assert by_words.max() == 0
    assert by_groups[1] > 0.25 and by_groups[2] < 0.05


def test_nothing_fits_no_words():
    for values in fits(["red mug"], "🎄"):
        assert values.tolist() == [0, 0]
