"""The windows of pictures in a library's database: their boxes and vectors, by picture, and as rows of an index."""

import json
import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from seesay.library.storage.rows import Space
from seesay.library.vectors.index import VectorRow

MOST = 16  # windows of a picture; the id of a window's row in an index is its picture's row times MOST, and its number


class RegionRows:
    """The windows of all pictures in one space, as an index is made of them (see `vectors.sync`)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def last_vector_id(self) -> int:
        """The highest id that a window can have by now, 0 before the first."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'regions'").fetchone()
        return row[0] * MOST + MOST - 1 if row else 0

    def vectors_after(self, last_id: int, space: Space) -> Iterator[VectorRow]:
        """Every window of the space with a higher id, in order of id."""
        rows = self.db.execute(
            """SELECT r.id, r.vectors FROM regions r JOIN vectors v ON v.id = r.vector_id
               WHERE v.space = ? AND r.id > ? ORDER BY r.id""",
            (space.id, last_id // MOST),
        )
        for row, vectors in rows:
            for number, vector in enumerate(split(vectors, space.dim)):
                yield VectorRow(row * MOST + number, "image", vector)

    def count_vectors(self, space: Space) -> dict[str, int]:
        """The windows of the space."""
        row = self.db.execute(
            "SELECT sum(length(r.vectors)) FROM regions r JOIN vectors v ON v.id = r.vector_id WHERE v.space = ?", (space.id,)
        ).fetchone()
        return {"image": (row[0] or 0) // (4 * space.dim)}

    def live(self, ids: np.ndarray) -> np.ndarray:
        """Ids of windows (N,) -> (N,) bool: which the database still has."""
        every = np.fromiter((row for (row,) in self.db.execute("SELECT id FROM regions")), dtype=np.int64)
        return np.isin(ids // MOST, every)

    def owners(self, space: Space) -> tuple[np.ndarray, np.ndarray]:
        """(rows, vector ids of their pictures), both (N,) int64, rows ascending."""
        pairs = self.db.execute(
            """SELECT r.id, r.vector_id FROM regions r JOIN vectors v ON v.id = r.vector_id
               WHERE v.space = ? ORDER BY r.id""",
            (space.id,),
        ).fetchall()
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def boxes(self, vector_id: int) -> np.ndarray:
        """The boxes (n, 4) float32 of a picture's windows, as shares of its sides."""
        row = self.db.execute("SELECT boxes FROM regions WHERE vector_id = ?", (vector_id,)).fetchone()
        return np.frombuffer(row[0] if row else b"", "<f4").reshape(-1, 4)

    def pending(self, space: Space, contents: Sequence[int]) -> list[tuple[int, int, bytes]]:
        """(vector id, content, its hash) of each of these pictures whose windows are not stored yet, in order of id."""
        rows = self.db.execute(
            """SELECT v.id, c.id, c.hash FROM json_each(?) x CROSS JOIN contents c ON c.id = x.value
               CROSS JOIN items i ON i.content_id = c.id CROSS JOIN vectors v ON v.item_id = i.id AND v.space = ?
               WHERE c.kind = 'image' AND NOT EXISTS (SELECT 1 FROM regions r WHERE r.vector_id = v.id) ORDER BY v.id""",
            (json.dumps(list(contents)), space.id),
        )
        return rows.fetchall()

    def put(self, vector_id: int, boxes: np.ndarray, vectors: np.ndarray) -> None:
        """Stores a picture's windows, of which there may be none; boxes (n, 4), vectors (n, D)."""
        self.db.execute(
            "INSERT OR IGNORE INTO regions (vector_id, boxes, vectors) VALUES (?, ?, ?)",
            (vector_id, boxes.astype("<f4").tobytes(), vectors.astype("<f4").tobytes()),
        )


def split(vectors: bytes, dim: int) -> list[bytes]:
    """Stored vectors (n, D) -> n of them."""
    return [vectors[start : start + 4 * dim] for start in range(0, len(vectors), 4 * dim)]
