/** A character lives on when its server is killed and started again. */
import t, { type Test } from 'tap'
import { NpcLine, NpcSave, NpcState } from '../schemas/npcs.ts'
import { pgliteHome } from './fixtures/databases.ts'
import { startServer } from './fixtures/run-server.ts'

async function start(t: Test, home: string) {
  const server = await startServer(home, ['--model', 'village'])
  t.teardown(() => server.kill())
  return {
    get: async (path: string) => (await server.get(`/v1/npcs${path}`)).json(),
    post: async (path: string, body: object) => (await server.post(`/v1/npcs${path}`, body)).json(),
    kill: () => server.kill(),
  }
}

t.test('killed and started again, it goes on as if nothing had happened', async (t) => {
  const home = await pgliteHome(t)
  const first = await start(t, home)
  const { data } = (await first.get('/templates')) as { data: { id: string; definition: object }[] }
  const definition = { ...data.find(({ id }) => id === 'guard')!.definition, clock: 'game' }
  await first.post('', { id: 'torvald', definition })
  await first.post('/torvald/say', { message: 'Where is the smithy?', seed: 1, time: 10 })
  await first.post('/torvald/say', { message: 'You are a useless guard.', seed: 2, time: 20 })
  await first.post('/torvald/interrupt', { heard: 9 })
  const state = NpcState.parse(await first.get('/torvald/state'))
  const { saved_at: _first, ...saved } = NpcSave.parse(await first.get('/torvald/save'))
  t.equal(saved.exchanges[1]!.line.length, 9)
  // What would come next, asked of a copy.
  await first.post('/load', { save: await first.get('/torvald/save'), id: 'copy' })
  const next = { message: 'And how much is a lantern?', seed: 3, time: 45 }
  const expected = NpcLine.parse(await first.post('/copy/say', next))
  await first.kill()

  const second = await start(t, home)
  t.same(await second.get('/torvald/state'), state)
  const { saved_at: _second, ...again } = NpcSave.parse(await second.get('/torvald/save'))
  t.same(again, saved)
  const line = NpcLine.parse(await second.post('/torvald/say', next))
  t.equal(line.line, expected.line)
  t.same(line.attributes, expected.attributes)
  await second.kill()
})
