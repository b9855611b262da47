import t from 'tap'
import { importUi } from './import-ui.ts'

const { parseHash, hashOf } = await importUi('router.js')

t.test('a hash is a path of names and a query', async (t) => {
  t.same(parseHash('#/data/rated?from=3&to=a%20b'), { path: ['data', 'rated'], query: { from: '3', to: 'a b' } }) // prettier-ignore
  t.same(parseHash(''), { path: [], query: {} })
  t.same(parseHash('#/chat'), { path: ['chat'], query: {} })
})

t.test('any name comes back from the hash that was made of it', async (t) => {
  for (const name of ['a b', 'ö/../x', '50%', 'a?b=c', '#', 'village@prod']) {
    t.same(parseHash(hashOf(['models', name], { q: name })), { path: ['models', name], query: { q: name } }) // prettier-ignore
  }
})

t.test('a stray percent sign that somebody typed is taken as it is', async (t) => {
  t.same(parseHash('#/data/50%').path, ['data', '50%'])
})

t.test('values that are not given are not in the query', async (t) => {
  t.equal(
    hashOf(['jobs', 'new', 'label'], { data: 'x', apm: undefined }),
    '#/jobs/new/label?data=x',
  )
})
