// Strings: building by appending, templates, slices and character codes, split and join, JSON both ways.
'use strict';
const letters = 'abcdefghijklmnopqrstuvwxyz';
let text = '';
for (let i = 0; i < 300000; i += 1) {
  text += letters[(i * 7) % 26];
}
let hash = 0;
for (let i = 0; i < text.length; i += 1) {
  hash = (hash * 33 + text.charCodeAt(i)) % 1000003;
}
const lines = [];
for (let i = 0; i < 6000; i += 1) {
  lines.push(`${i},${text.slice(i, i + 8)},${i % 2 === 0 ? 'even' : 'odd'}`);
}
const joined = lines.join('\n');
let fields = 0;
for (const line of joined.split('\n')) {
  const [number, word, parity] = line.split(',');
  fields = (fields + Number(number) + word.indexOf('e') + parity.length) % 1000003;
}
let round = JSON.stringify(lines.slice(0, 500).map((line, at) => ({ at, line, tags: [at % 3, null, at % 2 === 0] })));
for (let i = 0; i < 80; i += 1) {
  round = JSON.stringify(JSON.parse(round));
}
print('strings', hash, joined.length, fields, round.length);
