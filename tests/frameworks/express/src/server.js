const express = require('express');

const app = express();
app.use(express.json());

app.get('/ping', (request, response) => response.json({ status: 'Healthy' }));

app.post('/invocations', async (request, response) => {
  const { name, count } = request.body;
  if (!count) {
    return response.json({ greeting: `Hello, ${name}!` });
  }
  response.set('Content-Type', 'text/event-stream');
  for (let number = 0; number < count; number += 1) {
    response.write(`data: ${JSON.stringify({ number })}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  response.end();
});

app.listen(process.env.PORT);
