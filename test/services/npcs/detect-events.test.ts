import t from 'tap'
import { createDetector } from '../../../src/services/npcs/detect-events.ts'

const detect = createDetector([
  { event: 'insulted', any: ['fool', 'troll face', 'C++', 'Esel'] },
  { event: 'praised', any: ['wise', 'weise', '美しい'] },
  { event: 'insulted', any: ['rat'] },
])

const cases: [string, string[]][] = [
  ['You FOOL!', ['insulted']],
  ['you foolish man, do not rattle', []],
  ['a troll\n  face.', ['insulted']],
  ['you wise old fool of a rat', ['insulted', 'praised']],
  ['I like C++, really', ['insulted']],
  ['C++x', []],
  ['Ｆｏｏｌ', ['insulted']],
  ['Éfool', []],
  ['美しい', ['praised']],
  ['', []],
]

t.test('words and phrases are found whole, in any case, each event once', async (t) => {
  for (const [message, events] of cases) t.same(detect(message), events, message)
})

t.test('nobody is offended without lists', async (t) => {
  t.same(createDetector([])('fool'), [])
})
