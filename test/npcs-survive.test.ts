/** A character lives on when its server is killed and started again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { NpcLine, NpcSave, NpcState } from '../schemas/npcs.ts'
import { pgliteHome } from './fixtures/databases.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** A server in a process of its own. */
async function start(t: Test, home: string) {
  const argv = [main, 'serve', '--port', '0', '--home', home, '--model', 'village']
  const server = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => server.kill('SIGKILL'))
  const lines = createInterface({ input: server.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  const base = `${/http:\S+/.exec(line)![0]}/v1/npcs`
  const headers = { 'content-type': 'application/json' }
  return {
    get: async (url: string) => (await fetch(`${base}${url}`)).json(),
    post: async (url: string, body: object) =>
      (
        await fetch(`${base}${url}`, { method: 'POST', headers, body: JSON.stringify(body) })
      ).json(),
    async kill() {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
    },
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
