"""The emoji that messages name by shortcode."""

import re

EMOJI = {
    "eyes": "👀", "white_check_mark": "✅", "heavy_check_mark": "✔️", "x": "❌", "warning": "⚠️", "rotating_light": "🚨",
    "red_circle": "🔴", "large_orange_circle": "🟠", "large_yellow_circle": "🟡", "large_green_circle": "🟢",
    "large_blue_circle": "🔵", "white_circle": "⚪", "black_circle": "⚫", "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳", "fire": "🔥", "mag": "🔍", "bulb": "💡", "memo": "📝", "bar_chart": "📊",
    "chart_with_upwards_trend": "📈", "chart_with_downwards_trend": "📉", "link": "🔗", "lock": "🔒", "key": "🔑",
    "gear": "⚙️", "wrench": "🔧", "hammer_and_wrench": "🛠️", "package": "📦", "rocket": "🚀", "zap": "⚡", "bug": "🐛",
    "bell": "🔔", "no_bell": "🔕", "clock1": "🕐", "stopwatch": "⏱️", "stop_sign": "🛑", "octagonal_sign": "🛑",
    "no_entry": "⛔", "question": "❓", "grey_question": "❔", "exclamation": "❗", "information_source": "ℹ️",  # noqa: RUF001
    "thumbsup": "👍", "+1": "👍", "thumbsdown": "👎", "-1": "👎", "wave": "👋", "raised_hands": "🙌", "tada": "🎉",
    "pray": "🙏", "robot_face": "🤖", "speech_balloon": "💬", "thread": "🧵", "point_right": "👉", "arrow_right": "➡️",
    "arrow_up": "⬆️", "arrow_down": "⬇️", "arrows_counterclockwise": "🔄", "repeat": "🔁", "heavy_minus_sign": "➖",  # noqa: RUF001
    "heavy_plus_sign": "➕", "sos": "🆘", "calendar": "📅",  # noqa: RUF001
    "file_folder": "📁", "page_facing_up": "📄", "pushpin": "📌",
    "skull": "💀", "ghost": "👻", "sleeping": "😴", "thinking_face": "🤔", "smile": "😄", "slightly_smiling_face": "🙂",
}  # fmt: skip
CODE = re.compile(r":([a-z0-9_+-]+):")


def named(name: str) -> str:
    """The emoji with this name, or the name as people write it."""
    return EMOJI.get(name.split("::", maxsplit=1)[0], f":{name}:")


def replaced(text: str) -> str:
    """`text` with its shortcodes drawn."""
    return CODE.sub(lambda match: named(match[1]), text)
