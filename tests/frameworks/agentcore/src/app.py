"""What apps for Amazon Bedrock AgentCore do: answer, stream, know their session."""
import asyncio

from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


async def count(up_to):
    for number in range(up_to):
        yield {"number": number}
        await asyncio.sleep(0.01)


@app.entrypoint
async def invoke(payload, context):
    if "count" in payload:
        return count(payload["count"])
    return {"session": context.session_id}


if __name__ == "__main__":
    app.run()
