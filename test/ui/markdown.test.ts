import { readFile } from 'node:fs/promises'
import t from 'tap'
import { importUi } from './import-ui.ts'

const { parseMarkdown, parseInline } = await importUi('shared/markdown.js')

t.test('blocks of a model card', async (t) => {
  const text = `---
license: x
---

# Title

First line
second line

- one
  and on
- two

1. first

| a | b |
| --- | --- |
| 1 | x \\| y |

\`\`\`sh
curl # not a heading
\`\`\`
> quoted
> more
---
`
  t.same(parseMarkdown(text), [
    { type: 'heading', level: 1, text: 'Title' },
    { type: 'paragraph', text: 'First line second line' },
    { type: 'list', isOrdered: false, items: ['one and on', 'two'] },
    { type: 'list', isOrdered: true, items: ['first'] },
    { type: 'table', head: ['a', 'b'], rows: [['1', 'x | y']] },
    { type: 'code', text: 'curl # not a heading' },
    { type: 'quote', text: 'quoted more' },
    { type: 'rule' },
  ])
})

t.test('marks within a line', async (t) => {
  t.same(parseInline('a **b** `c*d*` *e* [f](https://g.h) snake_case_name'), [
    'a ',
    { type: 'bold', text: 'b' },
    ' ',
    { type: 'code', text: 'c*d*' },
    ' ',
    { type: 'italic', text: 'e' },
    ' ',
    { type: 'link', text: 'f', href: 'https://g.h' },
    ' snake_case_name',
  ])
})

t.test('links that could run something are their text, pictures their description', async (t) => {
  for (const href of [
    'javascript:alert`1`',
    'JaVaScRiPt:x',
    'data:text/html,x',
    '//evil.example',
    '/v1/models',
    'vbscript:x',
  ]) {
    // prettier-ignore
    t.same(parseInline(`[text](${href})`), ['text'], href)
  }
  t.same(parseInline('![a cat](https://x.y/cat.png)'), ['[a cat]'])
  t.same(parseInline('<img src=x onerror=alert(1)>'), ['<img src=x onerror=alert(1)>'])
})

t.test('any text ends: unclosed marks, lone pipes, empty lines', async (t) => {
  for (const text of [
    '```',
    '```\nopen',
    '|',
    '| a |',
    '#',
    '- ',
    '>',
    '**',
    '[',
    '\n\n\n',
    '---',
    '---\nx',
  ]) {
    // prettier-ignore
    t.ok(Array.isArray(parseMarkdown(text)), JSON.stringify(text))
  }
})

t.test('the card of the bundled model is read whole', async (t) => {
  const card = await readFile(new URL('../../models/village/README.md', import.meta.url), 'utf8')
  const blocks = parseMarkdown(card) as { type: string; rows?: string[][]; head?: string[] }[]
  const tables = blocks.filter(({ type }) => type === 'table')
  t.ok(tables.length >= 4)
  for (const { head, rows } of tables) t.ok(rows!.every((row) => row.length === head!.length))
  t.notOk(blocks.some((block) => JSON.stringify(block).includes('library_name')))
})

t.test('a long line of marks does not take long', async (t) => {
  const start = performance.now()
  for (const mark of ['*', '_', '`', '[', '![', '**a', '_a ']) parseInline(mark.repeat(10_000))
  t.ok(performance.now() - start < 3000)
})
