"""Pictures become squares of pixels, and every fault has its reason."""

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import BLUE, GREEN, RED, WHITE, content_of, noise, plain
from tfrec.images import decoding
from tfrec.images.decoding import UnusablePictureError, decode


def reason_of(content, **settings):
    with pytest.raises(UnusablePictureError) as caught:
        decode(content, 16, **settings)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_every_format_is_read(kind):
    pixels = decode(plain(RED, kind=kind), 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (16, 16, 3)), atol=3)


@pytest.mark.parametrize("content, reason", [
    (b"", "empty_file"),
    (b"hello, I am a text", "not_an_image"),
    (b"%PDF-1.7 and so on", "not_an_image"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
    (noise()[:1000], "broken_image"),
    (noise(kind="PNG")[:1000], "broken_image"),
    (noise(kind="WEBP")[:500], "broken_image"),
    (noise(kind="BMP")[:1000], "broken_image"),
    (noise(kind="PNG")[:20], "broken_image"),
    (plain(size=(31, 500)), "too_small"),
    (plain(size=(10_001, 10_000), mode="1", colour=1), "too_large"),
    (plain(size=(20_000, 20_000), mode="1", colour=1), "too_large"),
])  # fmt: skip
def test_every_fault_has_its_reason(content, reason):
    assert reason_of(content) == reason


def test_any_cut_of_a_jpeg_is_a_reject_and_no_crash():
    whole = noise()
    for end in range(2, len(whole) - 2, 97):
        assert reason_of(whole[:end]) in ("broken_image", "not_an_image")


def test_a_png_with_a_wrong_byte_is_broken():
    content = bytearray(noise(kind="PNG"))
    content[len(content) // 2] ^= 255
    assert reason_of(bytes(content)) == "broken_image"


def test_the_smallest_side_can_be_chosen():
    assert decode(plain(size=(8, 8)), 16, smallest_side=8).shape == (16, 16, 3)
    assert reason_of(plain(size=(64, 99)), smallest_side=65) == "too_small"


def test_a_wide_picture_gets_white_margins_and_keeps_its_shape():
    pixels = decode(plain(BLUE, size=(64, 32)), 16)
    np.testing.assert_array_equal(pixels[:4], np.broadcast_to(WHITE, (4, 16, 3)))
    np.testing.assert_array_equal(pixels[4:12], np.broadcast_to(BLUE, (8, 16, 3)))
    np.testing.assert_array_equal(pixels[12:], np.broadcast_to(WHITE, (4, 16, 3)))


def test_transparent_pixels_are_white():
    picture = Image.new("RGBA", (64, 64), (*GREEN, 0))
    picture.paste((*GREEN, 255), (0, 0, 64, 32))
    for kind in ("PNG", "WEBP"):
        pixels = decode(content_of(picture, kind, lossless=True), 16)
        np.testing.assert_array_equal(pixels[:7], np.broadcast_to(GREEN, (7, 16, 3)))
        np.testing.assert_array_equal(pixels[9:], np.broadcast_to(WHITE, (7, 16, 3)))


def test_a_picture_is_turned_as_its_camera_noted():
    picture = Image.new("RGB", (64, 64), BLUE)
    picture.paste(RED, (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = decode(content_of(picture, "JPEG", exif=exif, quality=95), 16)
    np.testing.assert_allclose(pixels[:6], np.broadcast_to(BLUE, (6, 16, 3)), atol=8)
    np.testing.assert_allclose(pixels[10:], np.broadcast_to(RED, (6, 16, 3)), atol=8)


@pytest.mark.parametrize("mode, colour, expected", [
    ("L", 100, (100, 100, 100)),
    ("LA", (100, 0), WHITE),
    ("I;16", 257 * 100, (100, 100, 100)),
    ("1", 1, WHITE),
    ("P", 0, (0, 0, 0)),
])  # fmt: skip
def test_pictures_that_are_not_rgb(mode, colour, expected):
    pixels = decode(plain(colour, mode=mode), 16)
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, (16, 16, 3)))


def test_a_jpeg_for_print():
    pixels = decode(plain((0, 255, 255, 0), kind="JPEG", mode="CMYK"), 16)
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (16, 16, 3)), atol=8)


def test_the_first_of_moving_pictures_counts():
    pictures = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    content = content_of(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
    np.testing.assert_array_equal(decode(content, 16), np.broadcast_to(RED, (16, 16, 3)))


def test_a_large_jpeg_is_decoded_at_a_part_of_its_size(monkeypatch):
    sizes = []
    whole = decoding._on_white
    monkeypatch.setattr(
        decoding, "_on_white", lambda picture: (sizes.append(picture.size), whole(picture))[1]
    )
    decode(plain(size=(1600, 800), kind="JPEG"), 16)
    assert sizes == [(200, 100)]
