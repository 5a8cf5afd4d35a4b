"""What apps for Amazon Bedrock AgentCore do: streams, sessions, work in the background."""
import asyncio
import threading
import time

from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


async def count(up_to):
    for number in range(up_to):
        yield {"number": number}
        await asyncio.sleep(0.01)


@app.async_task
async def work(seconds):
    await asyncio.sleep(seconds)


@app.entrypoint
async def invoke(payload, context):
    if "count" in payload:
        return count(payload["count"])
    if "work" in payload:
        asyncio.create_task(work(payload["work"]))
    if "fail" in payload:
        raise ValueError(payload["fail"])
    if "block" in payload:
        time.sleep(payload["block"])
    return {"session": context.session_id, "threads": threading.active_count() > 0}


if __name__ == "__main__":
    app.run()
