"""Product photos of the demo shop: a silhouette per kind of product, in a colour and a pattern.

Every photo of the same product differs in framing, light and cut, as photos do: the random generator
given to `render` decides. Drawn at three times the size and averaged down, so that edges are smooth.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 96  # pixels, square
_FINE = 3 * SIZE

Layer = Literal["body", "trim", "light", "metal", "hole"]
Point = tuple[float, float]
RGB = tuple[int, int, int]
Points = NDArray[np.float64]

COLOURS: dict[str, RGB] = {
    "red": (196, 30, 44),
    "orange": (236, 124, 36),
    "yellow": (242, 200, 52),
    "green": (52, 130, 70),
    "blue": (38, 84, 176),
    "purple": (116, 62, 150),
    "pink": (238, 148, 182),
    "brown": (122, 78, 46),
    "black": (38, 38, 42),
    "white": (248, 247, 242),
}
PATTERNS = ("plain", "striped", "dotted", "checked")
_METAL: RGB = (168, 170, 176)
_LIGHT: RGB = (246, 245, 240)
_DARK: RGB = (58, 60, 70)


@dataclass(frozen=True)
class Shape:
    """A filled outline in the unit square (x right, y down); corners are rounded by `radius`."""

    layer: Layer
    outline: tuple[Point, ...]
    radius: float = 0.02


def _mirrored(layer: Layer, right: tuple[Point, ...], radius: float = 0.02) -> Shape:
    """A shape given by its right half, from the top of the middle line to its bottom."""
    left = tuple((1 - x, y) for x, y in reversed(right) if x != 0.5)
    return Shape(layer, right + left, radius)


def _ellipse(layer: Layer, centre: Point, half_width: float, half_height: float) -> Shape:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    xs, ys = centre[0] + half_width * np.cos(angles), centre[1] + half_height * np.sin(angles)
    return Shape(layer, tuple(zip(xs.tolist(), ys.tolist(), strict=True)))


def _bar(layer: Layer, start: Point, end: Point, width: float) -> Shape:
    (x0, y0), (x1, y1) = start, end
    length = float(np.hypot(x1 - x0, y1 - y0))
    dx, dy = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
    return Shape(layer, ((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)))


SILHOUETTES: dict[str, tuple[Shape, ...]] = {
    "t-shirt": (
        _mirrored("body", ((0.5, 0.25), (0.59, 0.17), (0.7, 0.2), (0.9, 0.36), (0.81, 0.49), (0.7, 0.42),
                           (0.71, 0.85), (0.5, 0.86))),
        _mirrored("trim", ((0.5, 0.25), (0.57, 0.18), (0.605, 0.175), (0.5, 0.285)), 0.05),
    ),
    "jumper": (
        _mirrored("body", ((0.5, 0.22), (0.59, 0.16), (0.68, 0.18), (0.8, 0.29), (0.91, 0.74), (0.81, 0.78),
                           (0.71, 0.48), (0.71, 0.84), (0.5, 0.84))),
        _mirrored("trim", ((0.5, 0.15), (0.59, 0.15), (0.6, 0.19), (0.5, 0.24)), 0.04),
        _mirrored("trim", ((0.5, 0.8), (0.715, 0.8), (0.71, 0.86), (0.5, 0.86)), 0.01),
        Shape("trim", ((0.885, 0.7), (0.92, 0.75), (0.81, 0.79), (0.79, 0.735)), 0.01),
        Shape("trim", ((0.115, 0.7), (0.08, 0.75), (0.19, 0.79), (0.21, 0.735)), 0.01),
    ),
    "dress": (
        _mirrored("body", ((0.5, 0.22), (0.57, 0.2), (0.595, 0.1), (0.635, 0.1), (0.66, 0.28), (0.6, 0.44),
                           (0.7, 0.64), (0.81, 0.87), (0.5, 0.91))),
        _mirrored("trim", ((0.5, 0.42), (0.605, 0.42), (0.61, 0.47), (0.5, 0.47)), 0.01),
    ),
    "trousers": (
        _mirrored("body", ((0.5, 0.1), (0.67, 0.1), (0.72, 0.4), (0.74, 0.9), (0.58, 0.9), (0.5, 0.38)), 0),
        _mirrored("trim", ((0.5, 0.1), (0.67, 0.1), (0.68, 0.155), (0.5, 0.155)), 0.01),
        _bar("trim", (0.5, 0.16), (0.5, 0.34), 0.012),
        _bar("metal", (0.485, 0.128), (0.515, 0.128), 0.03),
    ),
    "trainers": (
        Shape("body", ((0.1, 0.7), (0.1, 0.46), (0.16, 0.4), (0.3, 0.47), (0.41, 0.36), (0.49, 0.36),
                       (0.66, 0.53), (0.86, 0.58), (0.92, 0.7)), 0.05),
        Shape("trim", ((0.1, 0.7), (0.1, 0.46), (0.16, 0.4), (0.2, 0.43), (0.22, 0.7)), 0.02),
        *(_bar("light", (0.43 + d, 0.47 + d), (0.53 + d, 0.4 + d), 0.025) for d in (0, 0.05, 0.1)),
        Shape("light", ((0.08, 0.69), (0.93, 0.69), (0.92, 0.78), (0.1, 0.78)), 0.03),
        _bar("trim", (0.1, 0.775), (0.92, 0.775), 0.02),
    ),
    "boots": (
        Shape("body", ((0.27, 0.12), (0.54, 0.12), (0.55, 0.48), (0.66, 0.58), (0.84, 0.64), (0.87, 0.78),
                       (0.27, 0.78)), 0.05),
        Shape("trim", ((0.26, 0.11), (0.55, 0.11), (0.55, 0.18), (0.26, 0.18)), 0.02),
        Shape("trim", ((0.25, 0.77), (0.88, 0.77), (0.88, 0.83), (0.52, 0.83), (0.46, 0.81), (0.46, 0.88),
                       (0.25, 0.88)), 0.015),
    ),
    "handbag": (
        Shape("trim", ((0.31, 0.46), (0.33, 0.22), (0.5, 0.1), (0.67, 0.22), (0.69, 0.46)), 0.12),
        Shape("hole", ((0.37, 0.46), (0.39, 0.26), (0.5, 0.16), (0.61, 0.26), (0.63, 0.46)), 0.1),
        _mirrored("body", ((0.5, 0.41), (0.78, 0.41), (0.88, 0.84), (0.5, 0.86)), 0.05),
        _mirrored("trim", ((0.5, 0.41), (0.78, 0.41), (0.79, 0.47), (0.5, 0.47)), 0.02),
        _ellipse("metal", (0.5, 0.5), 0.045, 0.05),
    ),
    "backpack": (
        Shape("trim", ((0.42, 0.2), (0.42, 0.08), (0.58, 0.08), (0.58, 0.2)), 0.06),
        Shape("hole", ((0.455, 0.2), (0.455, 0.115), (0.545, 0.115), (0.545, 0.2)), 0.03),
        Shape("trim", ((0.74, 0.36), (0.88, 0.5), (0.86, 0.82), (0.74, 0.84)), 0.05),
        Shape("trim", ((0.26, 0.36), (0.12, 0.5), (0.14, 0.82), (0.26, 0.84)), 0.05),
        _mirrored("body", ((0.5, 0.14), (0.74, 0.14), (0.79, 0.9), (0.5, 0.9)), 0.16),
        _mirrored("trim", ((0.5, 0.55), (0.71, 0.55), (0.72, 0.82), (0.5, 0.82)), 0.04),
        _mirrored("body", ((0.5, 0.585), (0.69, 0.585), (0.7, 0.795), (0.5, 0.795)), 0.03),
        _bar("metal", (0.36, 0.45), (0.64, 0.45), 0.018),
    ),
    "cap": (
        Shape("body", ((0.12, 0.64), (0.14, 0.38), (0.32, 0.24), (0.5, 0.24), (0.66, 0.32), (0.73, 0.5),
                       (0.73, 0.66)), 0.12),
        Shape("trim", ((0.36, 0.64), (0.58, 0.56), (0.8, 0.58), (0.94, 0.68), (0.92, 0.73),
                       (0.7, 0.67)), 0.06),
        _ellipse("trim", (0.42, 0.245), 0.04, 0.022),
        _bar("trim", (0.42, 0.26), (0.44, 0.63), 0.01),
    ),
    "watch": (
        _mirrored("body", ((0.5, 0.06), (0.59, 0.06), (0.64, 0.3), (0.64, 0.7), (0.59, 0.94), (0.5, 0.94))),
        _bar("metal", (0.7, 0.5), (0.76, 0.5), 0.07),
        _ellipse("metal", (0.5, 0.5), 0.23, 0.23),
        _ellipse("light", (0.5, 0.5), 0.185, 0.185),
        _bar("trim", (0.5, 0.51), (0.5, 0.37), 0.026),
        _bar("trim", (0.49, 0.5), (0.6, 0.56), 0.026),
    ),
    "mug": (
        _ellipse("body", (0.71, 0.53), 0.17, 0.18),
        _ellipse("hole", (0.71, 0.53), 0.105, 0.115),
        Shape("body", ((0.17, 0.24), (0.69, 0.24), (0.67, 0.84), (0.19, 0.84)), 0.05),
        _ellipse("trim", (0.43, 0.24), 0.262, 0.05),
    ),
    "lamp": (
        _bar("metal", (0.5, 0.48), (0.5, 0.88), 0.035),
        _ellipse("metal", (0.5, 0.88), 0.19, 0.04),
        _mirrored("body", ((0.5, 0.1), (0.65, 0.1), (0.84, 0.54), (0.5, 0.56)), 0.02),
        _mirrored("trim", ((0.5, 0.52), (0.83, 0.505), (0.845, 0.545), (0.5, 0.565)), 0.01),
    ),
    "cushion": (
        Shape("body", ((0.1, 0.1), (0.5, 0.17), (0.9, 0.1), (0.83, 0.5), (0.9, 0.9), (0.5, 0.83), (0.1, 0.9),
                       (0.17, 0.5)), 0.08),
    ),
}  # fmt: skip


def render(kind: str, colour: str, pattern: str, rng: np.random.Generator) -> bytes:
    """A PNG of SIZE × SIZE pixels; kind, colour and pattern are keys of the tables above."""
    shade = _shade(COLOURS[colour], rng.uniform(-0.1, 0.1))
    second = _DARK if colour == "white" else _LIGHT
    fills = {
        "body": _fabric(pattern, shade, second, rng),
        "trim": Image.new("RGB", (_FINE, _FINE), _shade(shade, 0.25 if sum(shade) < 160 else -0.3)),
        "light": Image.new("RGB", (_FINE, _FINE), _LIGHT),
        "metal": Image.new("RGB", (_FINE, _FINE), _METAL),
    }
    angle = rng.normal(0, 0.04)  # a little turned, stretched and off the middle
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix, shift = np.diag(rng.uniform(0.9, 1.02, 2)) @ rotation, rng.uniform(-0.02, 0.02, 2)
    canvas = Image.new("RGBA", (_FINE, _FINE), (*shade, 0))
    for shape in SILHOUETTES[kind]:
        stencil = Image.new("L", (_FINE, _FINE))
        outline = _rounded(np.array(shape.outline), shape.radius)
        corners = ((outline - 0.5) @ matrix + 0.5 + shift) * _FINE
        ImageDraw.Draw(stencil).polygon(corners.ravel().tolist(), fill=255)
        if shape.layer == "hole":
            canvas.paste((*shade, 0), mask=stencil)
        else:
            canvas.paste(fills[shape.layer], mask=stencil)
    buffer = io.BytesIO()
    _lit(canvas.reduce(_FINE // SIZE), rng).save(buffer, format="PNG")
    return buffer.getvalue()


def _fabric(pattern: str, first: RGB, second: RGB, rng: np.random.Generator) -> Image.Image:
    """The whole canvas covered in the pattern, printed in the second colour."""
    cloth = Image.new("RGB", (_FINE, _FINE), first)
    period, turn = rng.uniform(0.105, 0.135), rng.normal(0, 0.06)
    if pattern == "plain":
        return cloth
    # Single precision: the grids are the dearest part of a photo, and twice as fast this way.
    across = np.linspace(0, 1 / period, _FINE, dtype=np.float32)
    x, y, (dx, dy) = across[None, :], across[:, None], rng.uniform(size=2).tolist()
    v = _repeat(x * math.sin(turn) + y * math.cos(turn) + dy)
    if pattern == "striped":
        print_ = (v < 0.42) * np.uint8(255)
    else:
        u = _repeat(x * math.cos(turn) - y * math.sin(turn) + dx)
        if pattern == "dotted":
            print_ = ((u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.27**2) * np.uint8(255)
        else:
            print_ = (u < 0.5) * np.uint8(102) + (v < 0.5) * np.uint8(102)
    cloth.paste(second, mask=Image.fromarray(print_))
    return cloth


def _repeat(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fractional part: how far into the current repeat."""
    return distance - np.floor(distance)


def _rounded(points: Points, radius: float) -> Points:
    """The closed outline (n, 2) with each corner replaced by a quadratic Bézier curve of five points."""
    before, after = np.roll(points, 1, axis=0) - points, np.roll(points, -1, axis=0) - points

    def towards(edge: Points) -> Points:
        length = np.linalg.norm(edge, axis=1, keepdims=True)
        return points + edge * np.minimum(radius / length, 0.5)

    t = np.linspace(0, 1, 5)[None, :, None]
    start, corner, end = towards(before)[:, None], points[:, None], towards(after)[:, None]
    return ((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end).reshape(-1, 2)


def _lit(product: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The cut-out product on a pale ground with a soft shadow, lit from the upper left."""
    ground = tuple(int(v) for v in rng.uniform(222, 236) + rng.uniform(-4, 4, 3))
    photo = Image.new("RGB", product.size, ground)
    shadow = product.getchannel("A").filter(ImageFilter.GaussianBlur(2.5)).point(lambda a: a * 0.35)
    photo.paste((70, 68, 72), (2, 3), shadow)
    photo.paste(product, mask=product.getchannel("A"))
    ramp = np.linspace(0.05, -0.07, SIZE)
    light = rng.uniform(0.97, 1.02) + (ramp[:, None] + ramp[None, :]) / 2
    return Image.fromarray((np.asarray(photo) * light[..., None]).clip(0, 255).astype(np.uint8))


def _shade(colour: RGB, amount: float) -> RGB:
    """Lighter for positive amounts (towards white), darker for negative ones (towards black)."""
    target = 255 if amount > 0 else 0
    red, green, blue = (round(v + (target - v) * abs(amount)) for v in colour)
    return red, green, blue
