from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp()


@app.entrypoint
def invoke(payload):
    return {"greeting": f"Hello, {payload.get('name', 'world')}!"}


if __name__ == "__main__":
    app.run()
