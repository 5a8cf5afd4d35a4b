// Greets whoever it is given. stdin holds one JSON document, stdout takes the answer, stderr
// is the log. A line {"event": ...} on stdout is shown to a caller that listens meanwhile.
const question = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const name = (question && question.name) || (typeof question === 'string' && question) || 'world';

console.error(`greeting ${name}`);
console.log(JSON.stringify({ event: { thinking: name } }));
console.log(JSON.stringify({ greeting: `Hello, ${name}!` }));
