import asyncio
import os

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Question(BaseModel):
    name: str
    count: int = 0


app = FastAPI()


async def greetings(question):
    for _ in range(question.count):
        yield f'data: "Hello, {question.name}!"\n\n'
        await asyncio.sleep(0.01)


@app.post("/invocations")
async def invoke(question: Question):
    if question.name == "nobody":
        raise HTTPException(status_code=404, detail="nobody is not here")
    if question.count > 0:
        return StreamingResponse(greetings(question), media_type="text/event-stream")
    return {"greeting": f"Hello, {question.name}!"}


# There is no /ping: that it answers is enough.
if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ["PORT"]))
