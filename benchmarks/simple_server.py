"""The simplest server: a FastAPI handler that encodes each request by itself, in FastAPI's threads."""

import argparse
import base64
from typing import Any

import uvicorn
from fastapi import FastAPI

import seesay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model")
    options = parser.parse_args()
    model = seesay.load(options.model)
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embeddings(asked: dict[str, Any]) -> dict[str, Any]:
        data = []
        for index, item in enumerate(asked["input"]):
            if isinstance(item, str):
                vector = model.encode_text(item)[0]
            else:
                vector = model.encode_image(base64.b64decode(item["image"]))[0]
            data.append({"object": "embedding", "index": index, "embedding": vector.tolist()})
        return {"object": "list", "data": data, "model": asked["model"]}

    uvicorn.run(app, port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
