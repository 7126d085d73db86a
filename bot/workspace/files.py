"""Uploaded files."""

from dataclasses import dataclass

from bot.workspace.payloads import Json


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """One uploaded file."""

    id: str
    name: str
    length: int
    token: str
    content: bytes | None = None
    title: str = ""
    alt_text: str = ""
    is_complete: bool = False

    def to_json(self, base_url: str) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "size": self.length,
            "alt_txt": self.alt_text,
            "url_private": f"{base_url}/files/{self.id}/{self.name}",
        }
